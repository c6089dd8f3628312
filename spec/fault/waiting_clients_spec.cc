#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/patient_client.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/held_keys.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// Clients that wait for another attempt at their key (Prefer: wait), and what may happen meanwhile.
namespace rocket::spec {
namespace {

class WaitingClients : public testing::Test {
 protected:
  Environment environment(const Environment& more = {}) const {
    Environment all{{"MOCK_LEDGER", ledger_.path()}};
    all.insert(more.begin(), more.end());
    return all;
  }
  ClientRequest patient(const std::string& preference = "wait=30") const {
    return ride_request(key_).with("Prefer", preference);
  }
  // Sends the request on each of so many connections.
  std::vector<HttpConnection> send_to_wait(const ApiProcess& api, int clients,
                                           const std::string& preference = "wait=30") const {
    std::vector<HttpConnection> waiting;
    for (int i = 0; i < clients; ++i) {
      waiting.push_back(api.connect());
      waiting.back().send(patient(preference).to_bytes());
    }
    return waiting;
  }
  // Adds clients that wait, so many at once, until a look-up gets this status. Those that come while others
  // leave may be refused themselves.
  bool fill(const ApiProcess& api, std::vector<HttpConnection>& waiting, int at_once, int status) const {
    return eventually([&] {
      if (api.send(get_request("/account")).status == status) return true;
      for (HttpConnection& each : send_to_wait(api, at_once)) waiting.push_back(std::move(each));
      return false;
    });
  }
  // Returns once the requests that were sent before have met the attempt that holds the key: one lane serves
  // all requests with one key, in the order in which they come.
  void expect_in_progress(const ApiProcess& api) const {
    EXPECT_EQ(api.send(ride_request(key_)).code(), "request_in_progress");
  }
  static void expect_refused(HttpConnection& waiting) {
    const ClientResponse answer = waiting.receive();
    EXPECT_EQ(answer.status, 409);
    EXPECT_EQ(answer.code(), "request_in_progress");
    EXPECT_EQ(answer.header("retry-after"), "1");
    EXPECT_EQ(answer.count("preference-applied"), 0U);
  }
  void expect_one_effect() {
    SqlSession session = database_.open_session();
    expect_one_effect_per_key(session, ledger_, 1);
  }

  TestDatabase database_;
  Ledger ledger_;
  const std::string key_ = new_key();
};

// Its caller may have four requests in flight.
class ClientsThatHangUp : public WaitingClients {
 protected:
  ClientsThatHangUp() {
    hold_new_key(database_, key_);
    // A known user has a share of their own.
    EXPECT_EQ(ask(), 200);
  }
  int ask() const { return api_.send(get_request("/account")).status; }

  ApiProcess api_{
      database_,
      environment({{"API_LINE_LIMIT", "8"}, {"API_CALLER_SHARE", "50"}, {"API_WAITING_SHARE", "100"}})};
};

TEST_F(ClientsThatHangUp, GiveTheirPlacesBack) {
  std::vector<HttpConnection> waiting = send_to_wait(api_, 4);
  ASSERT_TRUE(fill(api_, waiting, 1, 429));
  for (HttpConnection& each : waiting) each.reset();
  EXPECT_TRUE(eventually([&] { return ask() == 200; }));

  waiting.clear();
  ASSERT_TRUE(fill(api_, waiting, 4, 429));
  waiting.clear();
  EXPECT_TRUE(eventually([&] { return ask() == 200; }));
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

TEST_F(ClientsThatHangUp, AreAnsweredAtOnceIfTheyCloseOneSideOnly) {
  std::vector<HttpConnection> waiting = send_to_wait(api_, 3);
  expect_in_progress(api_);
  waiting[0].end_sending();
  expect_refused(waiting[0]);
  // The end may come together with the request.
  HttpConnection hasty = api_.connect();
  hasty.send(patient().to_bytes());
  hasty.end_sending();
  expect_refused(hasty);
  release_held_keys(database_);
  EXPECT_EQ(waiting[1].receive().status, 201);
  EXPECT_EQ(waiting[2].receive().status, 201);
}

TEST_F(WaitingClients, AreAnsweredAtOnceByAProcessThatStops) {
  hold_new_key(database_, key_);
  ApiProcess api(database_, environment());
  std::vector<HttpConnection> waiting = send_to_wait(api, 20);
  expect_in_progress(api);
  api.process().kill(SIGTERM);
  for (HttpConnection& each : waiting) expect_refused(each);
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value()) << api.process().output();
  EXPECT_EQ(exit->code, 0) << api.process().output();
  EXPECT_NE(api.process().output().find("every request has its answer"), std::string::npos);
}

TEST_F(WaitingClients, OutliveARestart) {
  ApiProcess first(database_, environment({{"MOCK_LATENCY_MS", "60000"}}));
  HttpConnection working = first.connect();
  working.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));

  std::optional<ApiProcess> second(std::in_place, database_, environment());
  const ApiProcess third(database_, environment());
  PatientClient client({second->port(), third.port()});
  // The key stays held until its lease has run out, because nobody releases it.
  client.on_refusal([&] { database_.pass_lease(key_); });
  std::thread crash([&] {
    expect_in_progress(*second);
    first.process().kill(SIGKILL);
    second->process().kill(SIGKILL);
  });
  const auto outcome = client.insist(patient());
  crash.join();
  EXPECT_EQ(outcome.answer.status, 201) << outcome.answer.body;
  EXPECT_EQ(outcome.refusals, std::vector<int>{0});
  expect_one_effect();
}

TEST_F(WaitingClients, OutliveAnOutageOfTheDatabase) {
  hold_new_key(database_, key_);
  const ApiProcess api(database_, environment());
  std::vector<HttpConnection> waiting = send_to_wait(api, 2);
  std::vector<HttpConnection> hasty = send_to_wait(api, 1, "wait=1");
  expect_in_progress(api);
  SqlSession maintenance(maintenance_url());
  maintenance.execute("ALTER DATABASE " + database_.name() + " ALLOW_CONNECTIONS false");
  maintenance.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                   {database_.name()});
  ASSERT_TRUE(eventually([&] { return api.send(ride_request(key_)).status == 503; }));
  const ClientResponse answer = hasty.front().receive();
  EXPECT_EQ(answer.code(), "request_in_progress");
  EXPECT_EQ(answer.header("preference-applied"), "wait=1");

  maintenance.execute("ALTER DATABASE " + database_.name() + " ALLOW_CONNECTIONS true");
  database_.reconnect();
  release_held_keys(database_);
  for (HttpConnection& each : waiting) EXPECT_EQ(each.receive().status, 201);
  expect_one_effect();
}

class HeavyWaitingClients : public WaitingClients {};

TEST_F(HeavyWaitingClients, ManyOnOneKeyGetTheSameAnswerAndOneCharge) {
  constexpr int kClients = 1000;
  const ApiProcess api(database_, environment({{"API_LINE_LIMIT", "8192"}, {"DATABASE_LANES", "2"}}));
  ASSERT_EQ(api.send(get_request("/account")).status, 200);
  ApiProcess other(database_, environment({{"MOCK_LATENCY_MS", "2000"}}));
  HttpConnection first = other.connect();
  first.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
  other.process().kill(SIGSTOP);
  std::vector<HttpConnection> waiting = send_to_wait(api, kClients);
  expect_in_progress(api);
  // They hold up nobody.
  EXPECT_EQ(api.send(deposit_request(kUser, "5")).status, 201);

  other.process().kill(SIGCONT);
  const ClientResponse made = first.receive();
  ASSERT_EQ(made.status, 201) << made.body;
  int replayed = 0;
  for (HttpConnection& each : waiting) {
    const ClientResponse answer = each.receive();
    if (answer.status == 201 && answer.body == made.body && answer.header("idempotent-replayed") == "true" &&
        answer.header("preference-applied") == "wait=30") {
      ++replayed;
    }
  }
  EXPECT_EQ(replayed, kClients);
  EXPECT_EQ(database_.count("rides"), 1);
  EXPECT_EQ(ledger_.charges().size(), 1U);
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

TEST_F(HeavyWaitingClients, ManyThatHangUpLeaveRoomForOthers) {
  hold_new_key(database_, key_);
  const ApiProcess api(database_, environment({{"API_LINE_LIMIT", "1000"},
                                               {"API_CALLER_SHARE", "100"},
                                               {"API_PROVIDER_SHARE", "100"},
                                               {"API_WAITING_SHARE", "100"}}));
  ASSERT_EQ(api.send(get_request("/account")).status, 200);
  for (int round = 0; round < 3; ++round) {
    std::vector<HttpConnection> waiting = send_to_wait(api, 1000);
    ASSERT_TRUE(fill(api, waiting, 50, 503));
    waiting.clear();
    ASSERT_TRUE(eventually([&] { return api.send(get_request("/account")).status == 200; }));
  }
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

}  // namespace
}  // namespace rocket::spec
