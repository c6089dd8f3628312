#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// Several processes that get the same keys, or different ones, at the same moment.
namespace rocket::spec {
namespace {

Environment provider(const Ledger& ledger, const std::string& latency_ms) {
  return {{"MOCK_LEDGER", ledger.path()}, {"MOCK_LATENCY_MS", latency_ms}};
}

// Statements wait for a lock for a quarter of this time. PostgreSQL looks for deadlocks only after one
// second, so statements must wait longer than that; otherwise it would not count a deadlock.
constexpr const char* kLongerThanADeadlock = "20000";

// Call it when all processes have ended. A deadlock that PostgreSQL resolved, and whose victims ran again,
// shows only in these statistics.
void expect_no_deadlock(TestDatabase& database) {
  // A session reports its statistics when it ends.
  ASSERT_TRUE(eventually([&] {
    return database.number(
               "SELECT count(*) FROM pg_stat_activity "
               "WHERE datname = current_database() AND pid <> pg_backend_pid()") == 0;
  }));
  EXPECT_EQ(database.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), 0);
}

// Sends all requests on both sets of connections at once, in opposite orders. Returns the requests of
// `upwards` that have no 201 yet.
std::vector<std::string> send_crossing(const std::vector<std::string>& requests,
                                       std::vector<HttpConnection>& upwards,
                                       std::vector<HttpConnection>& downwards) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    upwards[i].send(requests[i]);
    downwards[i].send(requests[requests.size() - 1 - i]);
  }
  std::vector<std::string> left;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const ClientResponse upward = upwards[i].receive();
    const ClientResponse downward = downwards[i].receive();
    for (const ClientResponse& answer : {upward, downward}) {
      EXPECT_TRUE(answer.status == 201 || answer.code() == "request_in_progress" ||
                  answer.code() == "payment_unavailable")
          << answer.status << ' ' << answer.body;
    }
    if (upward.status != 201) left.push_back(requests[i]);
  }
  return left;
}

class RaceForOneKey : public testing::TestWithParam<std::string> {};

TEST_P(RaceForOneKey, HasOneWinnerAndOneEffect) {
  constexpr int kRounds = 120;
  TestDatabase database;
  Ledger ledger;
  ApiProcess one(database, provider(ledger, GetParam()));
  ApiProcess other(database, provider(ledger, GetParam()));
  std::vector<HttpConnection> runners;
  for (int i = 0; i < 2; ++i) {
    runners.push_back(one.connect());
    runners.push_back(other.connect());
  }

  int lost = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = new_key();
    const std::string bytes = ride_request(key).to_bytes();
    for (HttpConnection& runner : runners) runner.send(bytes);
    int fresh = 0;
    std::string body;
    for (HttpConnection& runner : runners) {
      const ClientResponse answer = runner.receive();
      if (answer.status == 409) {
        EXPECT_EQ(answer.code(), "request_in_progress");
        EXPECT_GE(answer.header("retry-after"), "1");
        ++lost;
        continue;
      }
      ASSERT_EQ(answer.status, 201) << answer.body;
      if (answer.header("idempotent-replayed").empty()) ++fresh;
      if (body.empty()) body = answer.body;
      EXPECT_EQ(answer.body, body);
    }
    EXPECT_EQ(fresh, 1);
    for (const ApiProcess* api : {&one, &other}) {
      const ClientResponse replay = api->send(ride_request(key));
      EXPECT_EQ(replay.status, 201);
      EXPECT_EQ(replay.body, body);
      EXPECT_EQ(replay.header("idempotent-replayed"), "true");
    }
  }
  EXPECT_GT(lost, 0) << "they should meet at least once";
  SqlSession session = database.open_session();
  expect_one_effect_per_key(session, ledger, kRounds);
}

INSTANTIATE_TEST_SUITE_P(WithAChargeOf, RaceForOneKey, testing::Values("0", "4"),
                         [](const auto& each) { return each.param + "Milliseconds"; });

TEST(Race, CrossingKeysOfTwoProcessesDoNotDeadlock) {
  constexpr int kRounds = 100;
  constexpr std::size_t kKeys = 12;
  TestDatabase database;
  Ledger ledger;
  // One lane each, so that the requests that arrive during a transaction share the next one.
  Environment environment = provider(ledger, "0");
  environment["DATABASE_LANES"] = "1";
  environment["DATABASE_TIMEOUT_MS"] = kLongerThanADeadlock;
  {
    ApiProcess one(database, environment);
    ApiProcess other(database, environment);
    std::vector<HttpConnection> upwards;
    std::vector<HttpConnection> downwards;
    for (std::size_t i = 0; i < kKeys; ++i) {
      upwards.push_back(one.connect());
      downwards.push_back(other.connect());
    }
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::string> requests;
      for (std::size_t i = 0; i < kKeys; ++i) {
        // Deposits of one user also lock the same account.
        const bool is_deposit = i % 4 == 3;
        const std::string key = new_key();
        requests.push_back(
            (is_deposit ? deposit_request(kUser, "1").with("Idempotency-Key", key) : ride_request(key))
                .to_bytes());
      }
      for (std::size_t i = 0; i < kKeys; ++i) {
        upwards[i].send(requests[i]);
        downwards[i].send(requests[kKeys - 1 - i]);
      }
      for (std::size_t i = 0; i < kKeys; ++i) {
        for (HttpConnection* connection : {&upwards[i], &downwards[i]}) {
          const ClientResponse answer = connection->receive();
          EXPECT_TRUE(answer.status == 201 || answer.code() == "request_in_progress")
              << answer.status << ' ' << answer.body;
        }
      }
    }
    EXPECT_EQ(one.process().output().find("statement failed"), std::string::npos) << one.process().output();
    EXPECT_EQ(other.process().output().find("statement failed"), std::string::npos)
        << other.process().output();
  }
  expect_no_deadlock(database);
  EXPECT_EQ(database.count("rides"), kRounds * 9);
  EXPECT_EQ(database.count("deposits"), kRounds * 3);
  EXPECT_EQ(database.number("SELECT balance FROM accounts"), kRounds * 3);
}

// Clients of two apis compete with two completers for every key, until the key has its answer.
TEST(Race, ApisAndCompletersDoNotDeadlock) {
  constexpr int kRounds = 15;
  constexpr std::size_t kKeys = 12;
  TestDatabase database;
  Ledger ledger;
  Environment environment = provider(ledger, "0");
  environment.insert({{"DATABASE_URL", database.url()},
                      {"DATABASE_LANES", "1"},
                      {"DATABASE_TIMEOUT_MS", kLongerThanADeadlock},
                      {"MOCK_OUTAGE_PERCENT", "70"},
                      {"CIRCUIT_FAILURES", "1000000"},
                      {"COMPLETER_GRACE_S", "0"},
                      {"COMPLETER_PAUSE_S", "0"},
                      {"COMPLETER_MOST_ATTEMPTS", "1000"},
                      {"COMPLETER_IDLE_MS", "1"}});
  {
    ApiProcess one(database, environment);
    ApiProcess other(database, environment);
    ChildProcess first("completer", environment);
    ChildProcess second("completer", environment);
    std::vector<HttpConnection> upwards;
    std::vector<HttpConnection> downwards;
    for (std::size_t i = 0; i < kKeys; ++i) {
      upwards.push_back(one.connect());
      downwards.push_back(other.connect());
    }
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::string> unfinished;
      for (std::size_t i = 0; i < kKeys; ++i) unfinished.push_back(ride_request(new_key()).to_bytes());
      while (!unfinished.empty()) unfinished = send_crossing(unfinished, upwards, downwards);
    }
    for (const ChildProcess* process : {&one.process(), &other.process(), &first, &second}) {
      EXPECT_EQ(process->output().find("statement failed"), std::string::npos) << process->output();
    }
    EXPECT_NE((first.output() + second.output()).find(": completed "), std::string::npos);
  }
  expect_no_deadlock(database);
  SqlSession session = database.open_session();
  expect_one_effect_per_key(session, ledger, kRounds * kKeys);
}

TEST(Race, DistinctKeysNeverMakeEachOtherFail) {
  constexpr int kClients = 200;
  constexpr int kRides = 4;
  constexpr int kDeposits = 2;
  TestDatabase database;
  Ledger ledger;
  ApiProcess one(database, provider(ledger, "2"));
  ApiProcess other(database, provider(ledger, "2"));
  std::vector<std::map<int, int>> statuses(kClients);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      try {
        HttpConnection connection = (i % 2 == 0 ? one : other).connect();
        for (int n = 0; n < kRides; ++n) ++statuses[i][connection.exchange(ride_request(new_key())).status];
        for (int n = 0; n < kDeposits; ++n) {
          const ClientRequest deposit = deposit_request(kUser, "5").with("Idempotency-Key", new_key());
          ++statuses[i][connection.exchange(deposit).status];
        }
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (auto& each : clients) each.join();

  for (const auto& own : statuses) EXPECT_EQ(own, (std::map<int, int>{{201, kRides + kDeposits}}));
  EXPECT_EQ(database.count("rides"), kClients * kRides);
  EXPECT_EQ(database.number("SELECT balance FROM accounts"), kClients * kDeposits * 5);
}

}  // namespace
}  // namespace rocket::spec
