#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "api/waiting_duplicates.h"
#include "completer/abandoned_keys.h"
#include "completer/key_counts.h"
#include "reaper/due_keys.h"
#include "reaper/reap.h"
#include "rocket/base/ids.h"
#include "rocket/endpoints/all.h"
#include "rocket/idempotency/keys.h"
#include "rocket/operations/parked_keys.h"
#include "rocket/operations/requests.h"
#include "spec/support/requests.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

// What statements cost the server: the versions of rows that they write, and how they find their rows.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> texts(const pg::Params& params) {
  std::vector<std::string> texts;
  for (const auto& param : params) texts.push_back(param.value());
  return texts;
}

// Counts updates by the server's statistics, on its own connection.
class UpdateCounter {
 public:
  explicit UpdateCounter(const TestDatabase& database) : session_(database.open_session()) { read(); }

  SqlSession& session() { return session_; }
  // Updates of idempotency_keys since the last call. Heap-only updates touch no index.
  struct Updates {
    std::int64_t all = 0;
    std::int64_t heap_only = 0;
  };
  Updates take() {
    const Updates before = last_;
    read();
    return {last_.all - before.all, last_.heap_only - before.heap_only};
  }

 private:
  void read() {
    // The server reports the statistics at the end of a statement, so the next one sees them.
    session_.rows("SELECT pg_stat_force_next_flush()");
    const auto row = session_.rows(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'idempotency_keys'")[0];
    last_ = {std::stoll(*row[0]), std::stoll(*row[1])};
  }

  SqlSession session_;
  Updates last_;
};

TEST(Storage, MakesProgressWithoutTouchingAnIndex) {
  TestDatabase database;
  ScriptedGateway gateway;
  const idempotency::Flow flow = endpoints::rides(gateway, {}).flow;
  const auto statement = [](const idempotency::Stretch& stretch) -> const pg::Statement& {
    return stretch.statements.front()->statement();
  };
  UpdateCounter counter(database);
  const auto run = [&](const pg::Query& query) {
    const std::vector<const pg::Query*> itself{&query};
    const pg::Query sent = query.statement->takes_set ? pg::as_set(itself) : query;
    counter.session().rows(sent.statement->sql, texts(sent.params));
  };
  const idempotency::Request request = engine_ride(new_key());
  const idempotency::Lease lease{kUser, request.key, time_ordered_uuid(), random_uuid()};
  const idempotency::Lease second{kUser, request.key, time_ordered_uuid(), random_uuid()};

  run(idempotency::claim(request, lease, std::chrono::seconds(90), flow.claim_only()));
  run(idempotency::release(lease, {}, {.error = "connection refused"}));
  run(idempotency::claim(request, second, std::chrono::seconds(90), flow.claim_only()));
  run({statement(flow.from("started")), {lease.key_id, second.token}});
  ASSERT_EQ(database.of_key(request.key, "recovery_point"), "ride_created");
  const auto progress = counter.take();
  EXPECT_EQ(progress.all, 3);
  EXPECT_EQ(progress.heap_only, 3);

  // Finishing does change an index, which shows that the count above works.
  run({statement(flow.after_call("ride_created")), {lease.key_id, second.token, "ch_1"}});
  ASSERT_EQ(database.of_key(request.key, "recovery_point"), "finished");
  const auto end = counter.take();
  EXPECT_EQ(end.all, 1);
  EXPECT_EQ(end.heap_only, 0);
}

TEST(Storage, LeavesRoomForProgressOnFullPages) {
  TestDatabase database;
  database.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "  request_params, created_at, last_run_at) "
      "SELECT gen_random_uuid(), 1, 'abandoned-key-' || i, 'POST', '/rides', "
      "  '{\"origin_lat\": 1.5, \"origin_lon\": -2.25, \"target_lat\": 3.0, \"target_lon\": 4.0}', "
      "  now() - interval '1 day', now() - interval '1 day' FROM generate_series(100000, 102000) i");
  UpdateCounter counter(database);

  // Adds a new version of a quarter of the rows, spread over all pages.
  counter.session().execute(
      "UPDATE idempotency_keys SET recovery_point = 'ride_created' "
      "WHERE right(idempotency_key, 1) IN ('0', '4', '8') AND right(idempotency_key, 2) <> '00'");
  const auto updates = counter.take();
  EXPECT_GT(updates.all, 400);
  EXPECT_EQ(updates.heap_only, updates.all);
}

// Heavy, because it has a hundred thousand keys. The workers want only a few of them.
class HeavyPlans : public testing::Test {
 protected:
  HeavyPlans() : session_(database_.open_session()) {
    // Fills the table before it creates the indexes, which is several times faster.
    std::string indexes;
    for (const auto& row :
         session_.rows("SELECT conname, pg_get_constraintdef(oid), contype FROM pg_constraint "
                       "WHERE conrelid = 'idempotency_keys'::regclass AND contype IN ('p', 'u', 'f')")) {
      session_.execute("ALTER TABLE idempotency_keys DROP CONSTRAINT " + *row[0]);
      if (row[2] == "f") continue;
      indexes += "ALTER TABLE idempotency_keys ADD CONSTRAINT " + *row[0] + " " + *row[1] + ";";
    }
    for (const auto& row :
         session_.rows("SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index "
                       "WHERE indrelid = 'idempotency_keys'::regclass")) {
      session_.execute("DROP INDEX " + *row[0]);
      indexes += *row[1] + ";";
    }
    session_.execute("ALTER TABLE idempotency_keys SET UNLOGGED");
    session_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "  request_params, recovery_point, created_at, last_run_at, finished_at, response_code, "
        "  response_body, parked_at, last_error) "
        "SELECT gen_random_uuid(), 1, 'one-of-very-many-keys-' || i, 'POST', '/rides', "
        "  '{\"origin_lat\": 1.5, \"origin_lon\": -2.25, \"target_lat\": 3.0, \"target_lon\": 4.0}', "
        "  CASE WHEN kind > 1 THEN 'finished' ELSE 'ride_created' END, at, at, "
        "  CASE WHEN kind > 1 THEN at END, CASE WHEN kind > 1 THEN 201 END, CASE WHEN kind > 1 THEN '{}' "
        "END, "
        "  CASE WHEN kind = 1 THEN at END, CASE WHEN kind = 1 THEN 'too many attempts' END "
        // In every thousand: one unfinished, one parked, the rest finished; spread over 75 hours.
        "FROM (SELECT i, i % 1000 AS kind, now() - make_interval(secs => i * 2.7) AS at "
        "        FROM generate_series(1, 100000) i) keys");
    session_.execute(indexes);
    session_.execute(
        "INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, "
        " price_cents) SELECT id, user_id, 0, 0, 0, 0, 2000 FROM idempotency_keys");
    session_.execute("ANALYZE idempotency_keys");
    session_.execute("ANALYZE rides");
    session_.execute("ANALYZE users");
  }

  // The plans of the query as our programs send it, prepared and with parameters: the plan of the first
  // executions, and the generic plan that the server uses later.
  std::vector<std::string> plans(const pg::Query& query) {
    const std::string name = '"' + std::string(query.statement->name) + '"';
    session_.execute("PREPARE " + name + " AS " + query.statement->sql);
    std::string arguments;
    for (const auto& value : query.params) {
      arguments.append(arguments.empty() ? "" : ", ").append(value ? "'" + *value + "'" : "NULL");
    }
    if (!arguments.empty()) arguments = "(" + arguments + ")";
    const std::string explain = "EXPLAIN EXECUTE " + name + arguments;
    std::vector<std::string> plans;
    for (int i = 0; i < 8; ++i) {
      std::string plan;
      for (const auto& row : session_.rows(explain)) {
        plan += *row[0] + '\n';
      }
      plans.push_back(plan);
    }
    session_.execute("DEALLOCATE " + name);
    return plans;
  }

  void expect_served_by(const std::string& index, const pg::Query& query) {
    for (const std::string& plan : plans(query)) {
      EXPECT_THAT(plan, HasSubstr("using " + index + " on idempotency_keys"));
      EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on idempotency_keys")));
    }
  }

  void expect_no_scan(const pg::Query& query) {
    for (const std::string& plan : plans(query)) {
      EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on idempotency_keys")));
      EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on rides")));
    }
  }

  TestDatabase database_;
  SqlSession session_;
};

TEST_F(HeavyPlans, ServesTheWorkersQueriesByTheirIndexes) {
  expect_served_by("idempotency_keys_unfinished", completer::take_abandoned({}, 1000, random_uuid()));
  expect_served_by("idempotency_keys_unfinished", completer::give_back_taken({random_uuid()}, {}));
  expect_served_by("idempotency_keys_unfinished", completer::park_hopeless({}, 1000, {}));
  expect_served_by("idempotency_keys_finished", reaper::reap(std::chrono::hours(72), 1000));
  expect_served_by("idempotency_keys_finished", reaper::find_oldest_finished(std::chrono::hours(72)));
  expect_served_by("idempotency_keys_unfinished", completer::count_keys());
  expect_served_by("idempotency_keys_parked", completer::count_keys());
}

TEST_F(HeavyPlans, ServesOperatorsByIndexesAlone) {
  const std::string id = random_uuid();
  constexpr std::chrono::seconds kLeaseTime(90);
  for (const std::string& plan : plans(operations::list_parked(100, kLeaseTime))) {
    EXPECT_THAT(plan, HasSubstr("idempotency_keys_parked"));
  }
  expect_no_scan(operations::list_parked(100, kLeaseTime));
  expect_no_scan(operations::find_story(id, kLeaseTime));
  for (const std::string& text : {id, std::string("7"), std::string(kUser), new_key()}) {
    expect_no_scan(operations::find_requests(operations::Search::of(text), 100, kLeaseTime));
  }
  for (const auto deed : {operations::Deed::kResume, operations::Deed::kClose}) {
    const operations::Order order{deed, id, "somebody", "a note", "completer", "here"};
    expect_no_scan(operations::carry_out(order, kLeaseTime).front());
  }
}

TEST_F(HeavyPlans, FindTheKeysOfWaitingDuplicatesByTheirIds) {
  const std::vector<std::string> ids(200, random_uuid());
  expect_served_by("idempotency_keys_pkey", api::find_ended_attempts(ids, std::chrono::seconds(90)));
}

TEST_F(HeavyPlans, FindTheKeysOfEveryStretchByTheirIndexes) {
  ScriptedGateway gateway;
  const endpoints::Endpoints endpoints = endpoints::all_endpoints(gateway, {});
  const std::string id = random_uuid();
  for (const endpoints::Endpoint& endpoint : endpoints) {
    for (const pg::Statement& statement : endpoint.flow.statements()) {
      SCOPED_TRACE(statement.name);
      const std::string sql = statement.sql;
      // A claim, which follows below.
      if (sql.find("$11") != std::string::npos) continue;
      pg::Params arrays{"{" + id + "}", "{" + id + "}"};
      if (sql.find("$3") != std::string::npos) arrays.emplace_back("{recorded}");
      expect_no_scan(pg::Query(statement, std::move(arrays)));
    }
    const idempotency::Lease lease{kUser, new_key(), id, id};
    const auto* both = endpoint.flow.claim_and_begin();
    const pg::Query claim = idempotency::claim(engine_ride(new_key()), lease, std::chrono::seconds(90),
                                               both != nullptr ? *both : endpoint.flow.claim_only());
    const std::vector<const pg::Query*> alone{&claim};
    expect_no_scan(pg::as_set(alone));
  }
}

}  // namespace
}  // namespace rocket::spec
