#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/ledger.h"
#include "spec/fault/patient_client.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// What an api does with its requests when it is told to stop.
namespace rocket::spec {
namespace {

class ShutdownOfAnApi : public testing::Test {
 protected:
  Environment with_latency(const std::string& ms) const {
    return {{"MOCK_LEDGER", ledger_.path()}, {"MOCK_LATENCY_MS", ms}};
  }
  void expect_one_effect() {
    SqlSession session = database_.open_session();
    expect_one_effect_per_key(session, ledger_, 1);
  }

  TestDatabase database_;
  Ledger ledger_;
  const std::string key_ = new_key();
};

TEST_F(ShutdownOfAnApi, FinishesWhatIsUnderWayAndRefusesTheRest) {
  ApiProcess api(database_, with_latency("1500"));
  HttpConnection idle = api.connect();
  ASSERT_EQ(idle.exchange(get_request("/account")).status, 200);
  HttpConnection working = api.connect();
  working.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));

  api.process().kill(SIGTERM);
  api.process().wait_for_line("stopping");
  try {
    const ClientResponse refused = api.send(ride_request(new_key()));
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_NE(refused.header("retry-after"), "");
    EXPECT_EQ(refused.header("connection"), "close");
  } catch (const std::exception&) {
    // It need not listen any more.
  }

  const ClientResponse answer = working.receive();
  EXPECT_EQ(answer.status, 201) << answer.body;
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 0) << api.process().output();
  EXPECT_TRUE(idle.ends());
  expect_one_effect();
}

TEST_F(ShutdownOfAnApi, HandsBackAChargeThatTakesTooLong) {
  {
    ApiProcess api(database_, with_latency("60000"));
    HttpConnection working = api.connect();
    working.send(ride_request(key_).to_bytes());
    ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
    api.process().kill(SIGTERM);
    const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
    ASSERT_TRUE(exit.has_value()) << api.process().output();
    EXPECT_EQ(exit->code, 0) << api.process().output();
    EXPECT_ANY_THROW(working.receive());
  }
  EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");

  // No waiting for a lease to end.
  ApiProcess next(database_, with_latency("0"));
  EXPECT_EQ(next.send(ride_request(key_)).status, 201);
  expect_one_effect();
}

TEST_F(ShutdownOfAnApi, LosesNothingUnderTraffic) {
  constexpr int kClients = 8;
  ApiProcess stopping(database_, with_latency("10"));
  const ApiProcess staying(database_, with_latency("10"));
  const std::vector<std::uint16_t> ports{stopping.port(), staying.port()};
  std::atomic<bool> enough{false};
  std::atomic<int> sent{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      PatientClient client(ports);
      while (!enough) {
        const auto outcome = client.insist(ride_request(new_key()));
        EXPECT_EQ(outcome.answer.status, 201) << testing::PrintToString(outcome.refusals);
        // Somebody who is told to go elsewhere goes once; who sees an error page has found a bug.
        EXPECT_THAT(outcome.refusals, testing::Each(testing::AnyOf(0, 503)));
        ++sent;
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return sent > 100; }));
  stopping.process().kill(SIGTERM);
  const auto exit = stopping.process().wait_for_exit(std::chrono::seconds(10));
  const int before = sent;
  EXPECT_TRUE(eventually([&] { return sent > before + 100; }));
  enough = true;
  for (auto& each : clients) each.join();

  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 0) << stopping.process().output();
  SqlSession session = database_.open_session();
  expect_one_effect_per_key(session, ledger_, sent);
}

}  // namespace
}  // namespace rocket::spec
