#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "rocket/jobs/drain.h"
#include "rocket/process/event_loop.h"
#include "spec/fault/effects.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// The operator of the database has set limits that are smaller than ours. These limits hold, and a request
// that reaches one is only told to retry.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;

class OperatorLimit : public testing::Test {
 protected:
  void set(const std::string& setting, const std::string& value) {
    database_.execute("DO $$BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET " +
                      setting + " = ''" + value + "'''; END$$");
  }

  TestDatabase database_;
  Ledger ledger_;
};

class OperatorLimitOnWaiting : public OperatorLimit, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(OfA, OperatorLimitOnWaiting, testing::Values("statement_timeout", "lock_timeout"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(OperatorLimitOnWaiting, MakesARequestThatReachesItTemporarilyUnavailable) {
  set(GetParam(), "100ms");
  const ApiProcess api(database_, {{"MOCK_LEDGER", ledger_.path()}, {"DATABASE_TIMEOUT_MS", "20000"}});
  SqlSession locker = database_.open_session();
  locker.execute("BEGIN; LOCK TABLE rides IN ACCESS EXCLUSIVE MODE");
  const std::string key = new_key();
  const auto begin = Clock::now();
  const ClientResponse refused = api.send(ride_request(key));
  // Our own limits would allow a longer wait.
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(4));
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.code(), "database_unavailable");
  EXPECT_NE(refused.header("retry-after"), "");
  locker.execute("ROLLBACK");

  EXPECT_EQ(api.send(ride_request(key)).status, 201);
  SqlSession session = database_.open_session();
  expect_one_effect_per_key(session, ledger_, 1);
}

// The limit is reached in the second half of a request, when the key is claimed and the card is charged.
TEST_P(OperatorLimitOnWaiting, ReleasesAKeyThatWasHeld) {
  set(GetParam(), "100ms");
  const ApiProcess api(database_, {{"MOCK_LEDGER", ledger_.path()}, {"MOCK_LATENCY_MS", "1000"}});
  const std::string key = new_key();
  HttpConnection connection = api.connect();
  connection.send(ride_request(key).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
  SqlSession locker = database_.open_session();
  locker.execute("BEGIN; LOCK TABLE rides IN ACCESS EXCLUSIVE MODE");
  const ClientResponse refused = connection.receive();
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.code(), "database_unavailable");
  // Releasing the key does not need the locked ride.
  EXPECT_TRUE(eventually([&] { return database_.of_key(key, "lease") == "NULL"; }));
  EXPECT_EQ(database_.of_key(key, "recovery_point"), "ride_created");
  locker.execute("ROLLBACK");

  EXPECT_EQ(api.send(ride_request(key)).status, 201);
  SqlSession session = database_.open_session();
  expect_one_effect_per_key(session, ledger_, 1);
}

// Statements are too short to be found at work, so each is made to wait for a lock.
TEST_F(OperatorLimit, OnAnyStatementOfTrafficIsNoError) {
  const ApiProcess api(database_, {{"MOCK_LEDGER", ledger_.path()}});
  Traffic traffic({api.port()}, 12);
  SqlSession session = database_.open_session();
  SqlSession locker = database_.open_session();
  for (const std::string table : {"idempotency_keys", "rides", "audit_records", "staged_jobs"}) {
    ASSERT_TRUE(traffic.goes_on(1));
    locker.execute("BEGIN; LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE");
    ASSERT_TRUE(eventually([&] {
      return session.number(
                 "SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity "
                 "WHERE wait_event_type = 'Lock' AND datname = current_database() "
                 "AND application_name LIKE 'rocket-rides%'") > 0;
    })) << table;
    EXPECT_TRUE(traffic.feels_it());
    locker.execute("ROLLBACK");
  }
  traffic.end();
  expect_same_bytes(session, traffic.rides());
  expect_one_effect_per_key(session, ledger_, traffic.done());
}

TEST_F(OperatorLimit, OnIdleSessionsIsNotFeltByClients) {
  set("idle_session_timeout", "50ms");
  const ApiProcess api(database_, {{"MOCK_LEDGER", ledger_.path()}});
  SqlSession session = database_.open_session();
  session.execute("SET idle_session_timeout = 0");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
    ASSERT_TRUE(eventually([&] {
      return session.number(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                 "application_name LIKE 'rocket-rides%'") == 0;
    }));
  }
  expect_one_effect_per_key(session, ledger_, 3);
}

// A queue whose first push is slow.
class SlowAtFirst : public jobs::JobQueue {
 public:
  void push(std::span<const jobs::Job> jobs) override {
    for (const jobs::Job& job : jobs) ids.push_back(job.id);
    if (ids.size() == jobs.size()) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  std::vector<std::string> ids;
};

TEST_F(OperatorLimit, OnIdleTransactionsMakesAJobComeAgainWithItsId) {
  set("idle_in_transaction_session_timeout", "100ms");
  database_.execute("INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}')");
  process::EventLoop event_loop;
  SlowAtFirst queue;
  jobs::Drain drain({.url = database_.url()}, queue, 10);
  EXPECT_THROW(event_loop.run(drain.run_once()), pg::Unavailable);
  EXPECT_EQ(database_.count("staged_jobs"), 1);
  EXPECT_EQ(event_loop.run(drain.run_once()), 1);
  EXPECT_EQ(database_.count("staged_jobs"), 0);
  ASSERT_EQ(queue.ids.size(), 2U);
  EXPECT_EQ(queue.ids[0], queue.ids[1]);
}

}  // namespace
}  // namespace rocket::spec
