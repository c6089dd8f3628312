#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "spec/integration/operators_fixture.h"
#include "spec/support/eventually.h"
#include "spec/support/sql_session.h"

// The board of operators, GET /ops/board, whoever looks and however many.
namespace rocket::spec {
namespace {

using OperatorsBoard = OperatorsSpec;
using testing::HasSubstr;
using testing::Not;

TEST_F(OperatorsBoard, SeeWhatEverybodysRequestsAreDoing) {
  const std::string waiting = id_of(abandon(database_, {.age = "3 hours"}));
  const std::string parked = park();
  database_.execute(
      "INSERT INTO staged_jobs (job_name, job_args, created_at) "
      "VALUES ('send_ride_receipt', '{}', now() - interval '1 minute')");
  const json answer = get("/ops/board");
  EXPECT_EQ(answer.at("payment_circuit"), "closed");
  const json& board = answer.at("board");
  EXPECT_EQ(board.at("points").at("started").at("all"), 1);
  EXPECT_GE(board.at("points").at("started").at("oldest_s"), 3 * 3600);
  ASSERT_EQ(board.at("oldest").size(), 1U);
  EXPECT_EQ(board.at("oldest").at(0).at("id"), waiting);
  EXPECT_GE(board.at("oldest").at(0).at("age_s"), 3 * 3600);
  ASSERT_EQ(board.at("parked").size(), 1U);
  EXPECT_EQ(board.at("parked").at(0).at("id"), parked);
  EXPECT_EQ(board.at("parked").at(0).at("error"), "too old");
  EXPECT_EQ(board.at("parked_count"), 1);
  EXPECT_EQ(board.at("jobs"), 1);
  EXPECT_GE(board.at("oldest_job_s"), 60);
  EXPECT_THAT(board.at("workers").dump(), HasSubstr("\"name\":\"api\""));
  EXPECT_THAT(answer.dump(), Not(HasSubstr("example.com"))) << "an address may be a credential";
}

TEST_F(OperatorsBoard, SeeHowManyAnswersTheProcessGaveAndHowFast) {
  const std::string customer = make_bearer(database_);
  const auto numbers = [&](std::uint64_t answers) {
    json http;
    // The board may be a second old.
    EXPECT_TRUE(eventually([&] {
      http = get("/ops/board").at("http");
      return http.at("latency_counts").back() == answers;
    })) << http;
    return http;
  };
  numbers(0);
  ASSERT_EQ(api_.send(ride_request(new_key(), customer)).status, 201);
  ASSERT_EQ(api_.send(get_request("/account", customer)).status, 200);
  ASSERT_EQ(api_.send(get_request("/account", kUser)).status, 401);
  ASSERT_EQ(api_.send(ride_request(new_key(), customer, std::string(kRideForm) + "&raise_error=true")).status,
            500);
  const json http = numbers(4);
  EXPECT_EQ(http.at("answers"), json::parse(R"({"2xx": 2.0, "3xx": 0.0, "4xx": 1.0, "5xx": 1.0})"));
  EXPECT_EQ(http.at("latency_counts").size(), http.at("latency_bounds_s").size() + 1);
}

// They need it most when nobody else is served.
TEST_F(OperatorsBoard, AreServedWhileTheLineIsFull) {
  const std::string customer = make_bearer(database_);
  const ApiProcess api(database_, {{"AUTH", "token"}, {"API_LINE_LIMIT", "1"}});
  SqlSession locker(database_.url());
  locker.execute("BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
  std::vector<HttpConnection> waiting;
  ASSERT_TRUE(eventually([&] {
    // One that came earlier may have failed by now, because of the lock.
    waiting.push_back(api.connect());
    waiting.back().send(get_request("/account", customer).to_bytes());
    return api.send(get_request("/rides", customer)).status == 503;
  }));
  EXPECT_EQ(api.send(get_request("/ops/board", operator_)).status, 200);
}

TEST_F(OperatorsBoard, LoseTheBoardWhenTheirTokenIsRevoked) {
  const auto status = [&] { return api_.send(get_request("/ops/board", operator_)).status; };
  EXPECT_EQ(status(), 200);
  database_.execute("UPDATE api_tokens SET revoked_at = now()");
  EXPECT_EQ(api_.send(get_request("/ops/requests?find=1", operator_)).status, 401) << "at once";
  EXPECT_TRUE(eventually([&] { return status() == 401; })) << "with the next board";
}

TEST_F(OperatorsBoard, AskTheDatabaseOnceASecondHoweverManyWatch) {
  constexpr std::size_t kWatchers = 1000;
  constexpr std::size_t kThreads = 16;
  std::vector<std::string> watchers;
  for (std::size_t i = 0; i < kWatchers; ++i) watchers.push_back(operator_bearer());
  std::set<std::string> boards;
  std::mutex mutex;
  const auto all_look = [&] {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        HttpConnection connection = api_.connect();
        for (std::size_t mine = next++; mine < kWatchers; mine = next++) {
          const ClientResponse response = connection.exchange(get_request("/ops/board", watchers[mine]));
          ASSERT_EQ(response.status, 200) << response.body;
          const auto at = json::parse(response.body).at("board").at("at").get<std::string>();
          const std::lock_guard lock(mutex);
          boards.insert(at);
        }
      });
    }
    for (std::thread& each : threads) each.join();
  };
  std::int64_t own = 0;
  const auto transactions = [&] {
    // A session's own statements are counted late, too.
    database_.value("SELECT pg_stat_force_next_flush() IS NULL");
    own += 2;
    return database_.number("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
  };
  // The server counts what a connection did a second later at most, with its next transaction.
  const auto wait_for_counts = [&] {
    std::set<std::string> later;
    EXPECT_TRUE(eventually([&] {
      later.insert(get("/ops/board").at("board").at("at").get<std::string>());
      return later.size() > 3;
    }));
  };
  // Whoever is new is looked up.
  all_look();
  wait_for_counts();
  boards.clear();
  own = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto before = transactions();
  for (int round = 0; round < 3; ++round) all_look();
  const auto most = [&] {
    return (std::chrono::steady_clock::now() - begin) / std::chrono::milliseconds(900) + 2;
  };
  EXPECT_LE(static_cast<std::int64_t>(boards.size()), most());
  wait_for_counts();
  const std::int64_t count = transactions() - before;
  EXPECT_GE(count, static_cast<std::int64_t>(boards.size()));
  constexpr std::int64_t kOthers = 100;
  EXPECT_LE(count, most() + own + kOthers) << "three thousand looks";
}

}  // namespace
}  // namespace rocket::spec
