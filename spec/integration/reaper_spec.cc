#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "reaper/reap.h"
#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"
#include "spec/support/child_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

constexpr std::chrono::hours kRetention(72);

// A reaper in this process, with its own connection.
class ReaperRig {
 public:
  explicit ReaperRig(const TestDatabase& database) : session_(connection_options(database)) {}

  std::int64_t run_once(std::int64_t batch = 1000) {
    return loop_.run(session_.run(reaper::reap(kRetention, batch))).affected();
  }

 private:
  static pg::ConnectionOptions connection_options(const TestDatabase& database) {
    pg::ConnectionOptions options;
    options.url = database.url();
    options.transaction_timeout = std::chrono::seconds(20);
    return options;
  }

  process::EventLoop loop_;
  pg::Session session_;
};

// Inserts keys that finished `ago`, one minute apart so that they have an order.
void insert_finished(TestDatabase& database, int count, const std::string& ago) {
  database.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "  request_params, recovery_point, created_at, finished_at, response_code, response_body)"
      "SELECT gen_random_uuid(), 1, 'finished-key-' || gen_random_uuid(), 'POST', '/rides', '{}', "
      "'finished', "
      "  now() - $2::interval, now() - $2::interval + make_interval(mins => i), 201, '{}'"
      "  FROM generate_series(1, $1::int) i",
      {std::to_string(count), ago});
}

// Moves all times of all keys into the past.
void let_pass(TestDatabase& database, const std::string& interval) {
  database.execute(
      "UPDATE idempotency_keys SET created_at = created_at - $1::interval, "
      "  last_run_at = last_run_at - $1::interval, locked_at = locked_at - $1::interval, "
      "  finished_at = finished_at - $1::interval, parked_at = parked_at - $1::interval",
      {interval});
}

TEST(Reaper, RemovesOnlyWhatFinishedBeforeTheRetention) {
  TestDatabase database;
  insert_finished(database, 2, "73 hours");
  insert_finished(database, 3, "71 hours");
  ReaperRig reaper(database);

  EXPECT_EQ(reaper.run_once(), 2);
  EXPECT_EQ(database.count("idempotency_keys"), 3);
  EXPECT_EQ(reaper.run_once(), 0);
  let_pass(database, "2 hours");
  EXPECT_EQ(reaper.run_once(), 3);
}

TEST(Reaper, CountsFromTheEndOfARequestNotFromItsBeginning) {
  TestDatabase database;
  insert_finished(database, 1, "1 hour");
  database.execute("UPDATE idempotency_keys SET created_at = now() - interval '100 days'");

  EXPECT_EQ(ReaperRig(database).run_once(), 0);
}

TEST(Reaper, NeverTouchesUnfinishedOrParkedKeys) {
  TestDatabase database;
  const auto insert = [&](const std::string& columns, const std::string& values) {
    database.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params, created_at, last_run_at" +
        columns +
        ") VALUES (gen_random_uuid(), 1, 'unfinished-' || gen_random_uuid(), 'POST', '/rides', '{}', "
        "now() - interval '900 days', now() - interval '900 days'" +
        values + ")");
  };
  insert("", "");
  insert(", recovery_point", ", 'charge_created'");
  insert(", lease, locked_at", ", gen_random_uuid(), now() - interval '900 days'");
  insert(", parked_at, last_error", ", now() - interval '900 days', 'too many attempts'");

  EXPECT_EQ(ReaperRig(database).run_once(), 0);
  EXPECT_EQ(database.count("idempotency_keys"), 4);
}

TEST(Reaper, RemovesOneBatchAtATimeTheOldestFirst) {
  TestDatabase database;
  insert_finished(database, 10, "100 hours");
  const auto oldest_left = [&] {
    return database.value(
        "SELECT count(*) || ' ' || bool_and(finished_at > now() - interval '100 hours' + "
        "make_interval(mins => 10 - (SELECT count(*)::int FROM idempotency_keys))) FROM idempotency_keys");
  };
  ReaperRig reaper(database);

  EXPECT_EQ(reaper.run_once(4), 4);
  EXPECT_EQ(oldest_left(), "6 true");
  EXPECT_EQ(reaper.run_once(4), 4);
  EXPECT_EQ(oldest_left(), "2 true");
  EXPECT_EQ(reaper.run_once(4), 2);
  EXPECT_EQ(reaper.run_once(4), 0);
}

TEST(Reaper, PassesByWhatAnotherTransactionHolds) {
  TestDatabase database;
  insert_finished(database, 3, "100 hours");
  SqlSession holder = database.open_session();
  holder.execute("BEGIN");
  holder.rows("SELECT id FROM idempotency_keys ORDER BY finished_at LIMIT 1 FOR UPDATE");
  ReaperRig reaper(database);

  EXPECT_EQ(reaper.run_once(), 2);
  holder.execute("ROLLBACK");
  EXPECT_EQ(reaper.run_once(), 1);
}

TEST(Reaper, SharesTheWorkWithOthers) {
  constexpr int kKeys = 2000;
  TestDatabase database;
  insert_finished(database, kKeys, "200 hours");
  std::vector<std::int64_t> removed(4);
  std::vector<std::thread> reapers;
  for (std::int64_t& own : removed) {
    reapers.emplace_back([&database, &own] {
      ReaperRig reaper(database);
      while (const auto count = reaper.run_once(50)) {
        EXPECT_LE(count, 50);
        own += count;
      }
    });
  }
  for (auto& each : reapers) each.join();

  // A reaper skips the keys that another has locked, so no key is counted twice and none is left.
  EXPECT_EQ(removed[0] + removed[1] + removed[2] + removed[3], kKeys);
  EXPECT_EQ(database.count("idempotency_keys"), 0);
}

TEST(Reaper, LeavesRidesDepositsAndAuditRecords) {
  TestDatabase database;
  EngineRig rig(database);
  ASSERT_EQ(describe(rig.run(engine_ride(new_key()))), "201");
  ASSERT_EQ(describe(rig.run(engine_deposit(new_key(), 40))), "201");
  let_pass(database, "73 hours");

  EXPECT_EQ(ReaperRig(database).run_once(), 2);

  EXPECT_EQ(database.count("idempotency_keys"), 0);
  EXPECT_EQ(database.count("rides"), 1);
  EXPECT_EQ(database.count("deposits"), 1);
  EXPECT_EQ(database.number("SELECT balance FROM accounts"), 40);
  EXPECT_EQ(database.count("audit_records"), 2);
  EXPECT_EQ(database.count("staged_jobs"), 1);
}

TEST(Reaper, MakesAReapedKeyFreeForANewRequest) {
  TestDatabase database;
  EngineRig rig(database);
  const std::string key = new_key();
  ASSERT_EQ(describe(rig.run(engine_ride(key))), "201");
  let_pass(database, "73 hours");
  ASSERT_EQ(describe(rig.run(engine_ride(key))), "201 replayed");
  ASSERT_EQ(ReaperRig(database).run_once(), 1);

  EXPECT_EQ(describe(rig.run(engine_ride(key))), "201");

  EXPECT_EQ(database.count("rides"), 2);
  EXPECT_EQ(rig.gateway().charges().size(), 2U) << "a new request is charged with a key of its own";
}

TEST(ReaperProcess, WorksThroughABacklogBatchAfterBatchWithoutPausing) {
  TestDatabase database;
  insert_finished(database, 950, "100 hours");
  insert_finished(database, 5, "1 hour");
  const Environment environment{
      {"DATABASE_URL", database.url()}, {"REAPER_BATCH", "100"}, {"REAPER_IDLE_MS", "3600000"}};
  const ChildProcess reaper("reaper", environment);

  EXPECT_TRUE(eventually([&] { return database.count("idempotency_keys") == 5; })) << reaper.output();
}

}  // namespace
}  // namespace rocket::spec
