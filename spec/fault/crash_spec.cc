#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "rocket/process/host_name.h"
#include "spec/fault/effects.h"
#include "spec/fault/patient_client.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/history.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// Processes that die, stall or lose their client in the middle of a request.
namespace rocket::spec {
namespace {

class CrashInTheCharge : public testing::Test {
 protected:
  Environment with_latency(const std::string& ms) const {
    return {{"MOCK_LEDGER", ledger_.path()}, {"MOCK_LATENCY_MS", ms}};
  }

  // Sends the ride and returns when the provider has been asked.
  HttpConnection start_ride(const ApiProcess& api) {
    HttpConnection connection = api.connect();
    connection.send(ride_request(key_).to_bytes());
    if (!eventually([&] { return !ledger_.calls().empty(); })) {
      throw std::runtime_error("the charge never began");
    }
    return connection;
  }

  void kill_in_the_charge() {
    ApiProcess api(database_, with_latency("60000"));
    HttpConnection connection = start_ride(api);
    api.process().kill(SIGKILL);
    ASSERT_TRUE(api.process().wait_for_exit().has_value());
    EXPECT_ANY_THROW(connection.receive()) << "nobody is left to answer";
    EXPECT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");
  }

  void expect_one_effect() {
    SqlSession session = database_.open_session();
    expect_one_effect_per_key(session, ledger_, 1);
  }

  TestDatabase database_;
  Ledger ledger_;
  const std::string key_ = new_key();
};

TEST_F(CrashInTheCharge, IsFinishedByARetryAtAnotherProcess) {
  kill_in_the_charge();
  ApiProcess next(database_, with_latency("0"));

  // Nobody can know yet that the process is dead, so the key is still taken.
  const ClientResponse early = next.send(ride_request(key_));
  EXPECT_EQ(early.status, 409);
  EXPECT_EQ(early.code(), "request_in_progress");
  EXPECT_EQ(ledger_.calls().size(), 1U);

  database_.pass_lease(key_);
  const ClientResponse answer = next.send(ride_request(key_));
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(ledger_.calls().size(), 2U);
  EXPECT_EQ(ledger_.calls()[0].charge_key, ledger_.calls()[1].charge_key);
  expect_one_effect();
}

TEST_F(CrashInTheCharge, IsFinishedByTheCompleter) {
  kill_in_the_charge();
  Environment environment = with_latency("0");
  environment["DATABASE_URL"] = database_.url();
  environment["COMPLETER_IDLE_MS"] = "20";
  const ChildProcess completer("completer", environment);
  database_.execute("UPDATE idempotency_keys SET created_at = created_at - interval '6 min'");
  database_.pass_lease(key_);

  ASSERT_TRUE(eventually([&] { return database_.of_key(key_, "recovery_point") == "finished"; }))
      << completer.output();
  expect_one_effect();
  ApiProcess api(database_);
  const ClientResponse answer = api.send(ride_request(key_));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("idempotent-replayed"), "true");
  EXPECT_EQ(database_.value("SELECT host(origin_ip) FROM audit_records"), "127.0.0.1");
  EXPECT_EQ(history_of(database_, key_),
            "1 - lost - started>ride_created\n"
            "2 completer finished - ride_created>finished");
  EXPECT_EQ(database_.value("SELECT host FROM key_attempts WHERE attempt = 2"), process::host_name());
}

TEST_F(CrashInTheCharge, OfACompleterIsFinishedByTheNextOne) {
  kill_in_the_charge();
  database_.execute("UPDATE idempotency_keys SET created_at = created_at - interval '6 min'");
  database_.pass_lease(key_);
  Environment environment = with_latency("60000");
  environment["DATABASE_URL"] = database_.url();
  environment["COMPLETER_IDLE_MS"] = "20";
  {
    const ChildProcess killed("completer", environment);
    ASSERT_TRUE(eventually([&] { return ledger_.calls().size() == 2; })) << killed.output();
    killed.kill(SIGKILL);
    ASSERT_TRUE(killed.wait_for_exit().has_value());
  }
  environment["MOCK_LATENCY_MS"] = "0";
  const ChildProcess next("completer", environment);
  database_.execute(
      "UPDATE idempotency_keys SET locked_at = now() - interval '1 hour', last_run_at = now() - interval '1 "
      "hour'");

  EXPECT_TRUE(eventually([&] { return database_.of_key(key_, "recovery_point") == "finished"; }))
      << next.output();
  expect_one_effect();
}

TEST_F(CrashInTheCharge, AStalledHolderIsFencedOff) {
  ApiProcess stalled(database_, with_latency("1500"));
  HttpConnection patient = start_ride(stalled);
  stalled.process().kill(SIGSTOP);
  ASSERT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");
  database_.pass_lease(key_);

  ApiProcess other(database_, with_latency("0"));
  const ClientResponse answer = other.send(ride_request(key_));
  ASSERT_EQ(answer.status, 201) << answer.body;
  const auto row = database_.rows("SELECT * FROM idempotency_keys");
  const auto ride = database_.rows("SELECT * FROM rides");

  stalled.process().kill(SIGCONT);
  const ClientResponse late = patient.receive();
  EXPECT_EQ(late.status, 201) << late.body;
  EXPECT_EQ(late.body, answer.body);
  EXPECT_EQ(late.header("idempotent-replayed"), "true");
  EXPECT_EQ(database_.rows("SELECT * FROM idempotency_keys"), row) << "nothing of it may change";
  EXPECT_EQ(database_.rows("SELECT * FROM rides"), ride);
  expect_one_effect();
}

TEST_F(CrashInTheCharge, AStalledHolderDoesNotReleaseTheKeyOfTheNextOne) {
  Environment away = with_latency("1500");
  away["MOCK_LOST_PERCENT"] = "100";
  ApiProcess stalled(database_, away);
  HttpConnection patient = start_ride(stalled);
  stalled.process().kill(SIGSTOP);
  database_.pass_lease(key_);
  ApiProcess other(database_, with_latency("3000"));
  HttpConnection winner = other.connect();
  winner.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return ledger_.calls().size() == 2; }));
  const std::string lease = database_.of_key(key_, "lease");

  // The stalled process gives up now. It must not release the lease, which now belongs to another.
  stalled.process().kill(SIGCONT);
  const ClientResponse given_up = patient.receive();
  EXPECT_EQ(given_up.status, 503) << given_up.body;
  EXPECT_EQ(database_.of_key(key_, "lease"), lease);
  EXPECT_EQ(winner.receive().status, 201);
  expect_one_effect();
}

TEST_F(CrashInTheCharge, AClientThatLeavesFindsItsAnswerLater) {
  ApiProcess api(database_, with_latency("300"));
  { const HttpConnection leaving = start_ride(api); }
  ASSERT_TRUE(eventually([&] { return database_.of_key(key_, "recovery_point") == "finished"; }));

  const ClientResponse answer = api.send(ride_request(key_));
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("idempotent-replayed"), "true");
  EXPECT_EQ(answer.body, database_.of_key(key_, "response_body"));
  EXPECT_EQ(ledger_.calls().size(), 1U);
  expect_one_effect();
}

// Lets the leases of dead processes end within a second instead of 90 s.
class FastForward {
 public:
  explicit FastForward(const TestDatabase& database)
      : session_(database.open_session()), ticking_([this] { tick(); }) {}
  ~FastForward() {
    ending_ = true;
    ticking_.join();
  }
  FastForward(const FastForward&) = delete;
  FastForward& operator=(const FastForward&) = delete;

 private:
  void tick() {
    while (!ending_) {
      session_.execute(
          "UPDATE idempotency_keys SET locked_at = locked_at - interval '90 s' WHERE id IN "
          "(SELECT id FROM idempotency_keys WHERE locked_at < now() - interval '1 s' "
          "    AND locked_at > now() - interval '90 s' FOR UPDATE SKIP LOCKED)");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  SqlSession session_;
  std::atomic<bool> ending_{false};
  std::thread ticking_;
};

TEST(CrashUnderTraffic, EveryKeyHasOneEffectHoweverOftenProcessesAreKilled) {
  constexpr int kKills = 8;
  constexpr int kClients = 6;
  TestDatabase database;
  Ledger ledger;
  Environment environment{{"MOCK_LEDGER", ledger.path()}, {"MOCK_LATENCY_MS", "5"}};
  const ApiProcess steady(database, environment);
  std::optional<ApiProcess> doomed(std::in_place, database, environment);
  // Each new process gets the port of the process that it replaces.
  environment["API_PORT"] = std::to_string(doomed->port());
  const std::vector<std::uint16_t> ports{doomed->port(), steady.port()};

  std::atomic<bool> enough{false};
  std::atomic<int> sent{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      PatientClient client(ports);
      while (!enough) {
        const auto outcome = client.insist(ride_request(new_key()));
        EXPECT_EQ(outcome.answer.status, 201) << testing::PrintToString(outcome.refusals);
        ++sent;
        // Without a pause, the clients would keep all processors busy.
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    });
  }
  {
    const FastForward fast_forward(database);
    std::minstd_rand random(20'240'501);
    for (int i = 0; i < kKills; ++i) {
      const int before = sent;
      EXPECT_TRUE(eventually([&] { return sent >= before + 20; })) << "traffic must go on";
      // Kill at a random moment of a request.
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
      doomed->process().kill(SIGKILL);
      doomed->process().wait_for_exit();
      doomed.emplace(database, environment);
    }
    enough = true;
    for (auto& each : clients) each.join();
  }
  SqlSession session = database.open_session();
  expect_one_effect_per_key(session, ledger, sent);
}

}  // namespace
}  // namespace rocket::spec
