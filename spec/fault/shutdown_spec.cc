#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/patient_client.h"
#include "spec/fault/private_cluster.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// What a process does with its requests when it is told to stop.
namespace rocket::spec {
namespace {

class ShutdownOfAnApi : public testing::Test {
 protected:
  Environment with_latency(const std::string& ms) const {
    return {{"MOCK_LEDGER", ledger_.path()}, {"MOCK_LATENCY_MS", ms}};
  }
  // True if the api answers with a 503 that says when to come back, or no longer listens.
  static bool refuses(const ApiProcess& api, const ClientRequest& request) {
    try {
      const ClientResponse answer = api.send(request);
      return answer.status == 503 && !answer.header("retry-after").empty() &&
             answer.header("connection") == "close";
    } catch (const std::exception&) {
      return true;
    }
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
  // Requests of the first moment may still be accepted.
  ASSERT_TRUE(eventually([&] { return refuses(api, get_request("/account")); }, std::chrono::seconds(1)));
  EXPECT_TRUE(refuses(api, ride_request(new_key())));

  const ClientResponse answer = working.receive();
  EXPECT_EQ(answer.status, 201) << answer.body;
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 0) << api.process().output();
  EXPECT_TRUE(idle.ends());
  expect_one_effect();
}

// Its request may be on the way already. It must hear that it should try elsewhere.
TEST_F(ShutdownOfAnApi, AnswersAClientThatHasJustConnected) {
  using Clock = std::chrono::steady_clock;
  ApiProcess api(database_, with_latency("60000"));
  HttpConnection working = api.connect();
  working.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
  api.process().kill(SIGTERM);
  ASSERT_TRUE(eventually([&] { return refuses(api, get_request("/account")); }));
  // A machine may be so slow that the client is no new one any more.
  const bool was_answered = eventually([&] {
    const auto begin = Clock::now();
    HttpConnection fresh = api.connect();
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    try {
      return fresh.exchange(get_request("/account")).status == 503;
    } catch (const std::exception&) {
      EXPECT_GT(Clock::now() - begin, std::chrono::milliseconds(1000));
      return false;
    }
  });
  EXPECT_TRUE(was_answered);
}

// SIGHUP comes when the terminal closes.
TEST_F(ShutdownOfAnApi, AnswersWhatIsUnderWayOnSighup) {
  ApiProcess api(database_, with_latency("500"));
  HttpConnection working = api.connect();
  working.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
  api.process().kill(SIGHUP);
  EXPECT_EQ(working.receive().status, 201);
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 0) << api.process().output();
  expect_one_effect();
}

TEST_F(ShutdownOfAnApi, ReleasesAChargeThatTakesTooLong) {
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

  // The next process need not wait for a lease to end.
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
        // 0 is a closed connection, and 503 asks for a retry. Any other status is a bug.
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

// Suspends every server process of our programs' sessions, as on a machine that hangs.
class Freeze {
 public:
  explicit Freeze(SqlSession session) {
    for (const auto& row : session.rows("SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                                        "AND application_name LIKE 'rocket-rides%'")) {
      frozen_.push_back(std::stoi(*row[0]));
      ::kill(frozen_.back(), SIGSTOP);
    }
  }
  ~Freeze() {
    for (const pid_t each : frozen_) ::kill(each, SIGCONT);
  }
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;

  std::size_t size() const { return frozen_.size(); }

 private:
  std::vector<pid_t> frozen_;
};

class ShutdownInTrouble : public testing::TestWithParam<std::string> {
 protected:
  // Starts the process with a ride whose charge does not end.
  std::unique_ptr<ChildProcess> stuck(const std::string& database_url) {
    Environment environment{kDefaultDatabaseTimeout,
                            {"DATABASE_URL", database_url},
                            {"MOCK_LEDGER", ledger_.path()},
                            {"MOCK_LATENCY_MS", "60000"},
                            {"API_PORT", "0"},
                            {"COMPLETER_IDLE_MS", "20"}};
    auto process = std::make_unique<ChildProcess>(GetParam(), environment);
    if (GetParam() == "api") {
      const std::string line = process->wait_for_line("listening");
      client_.emplace(static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind('=') + 1))));
      client_->send(ride_request(new_key()).to_bytes());
    } else {
      SqlSession(database_url)
          .execute(
              "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, "
              "request_path, request_params, created_at, last_run_at) VALUES (gen_random_uuid(), 1, "
              "'abandoned-key-000000', 'POST', '/rides', '{\"origin_lat\": 1, \"origin_lon\": 2, "
              "\"target_lat\": 3, \"target_lon\": 4}', now() - interval '1 day', "
              "now() - interval '1 day')");
    }
    if (!eventually([&] { return !ledger_.calls().empty(); })) {
      throw std::runtime_error("the charge never began; output:\n" + process->output());
    }
    return process;
  }

  Ledger ledger_;
  std::optional<HttpConnection> client_;
};

INSTANTIATE_TEST_SUITE_P(OfA, ShutdownInTrouble, testing::Values("api", "completer"),
                         [](const auto& each) { return each.param; });

TEST_P(ShutdownInTrouble, EndsInTimeThoughTheDatabaseIsAway) {
  PrivateCluster cluster;
  const auto process = stuck(cluster.url());
  cluster.crash();
  expect_good_end(*process);
}

TEST_P(ShutdownInTrouble, EndsInTimeThoughTheDatabaseHangs) {
  // A private server, because a frozen session would block other tests that create or drop databases.
  PrivateCluster cluster;
  const auto process = stuck(cluster.url());
  const Freeze freeze{SqlSession(cluster.url())};
  ASSERT_GT(freeze.size(), 0U);
  expect_good_end(*process);
}

TEST_P(ShutdownInTrouble, EndsInTimeThoughSomebodyLocksItsKey) {
  TestDatabase database;
  const auto process = stuck(database.url());
  SqlSession somebody = database.open_session();
  somebody.execute("BEGIN");
  somebody.rows("SELECT id FROM idempotency_keys FOR UPDATE");
  expect_good_end(*process);
}

}  // namespace
}  // namespace rocket::spec
