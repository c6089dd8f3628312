#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "completer/abandoned_keys.h"
#include "endpoints/rides.h"
#include "idempotency/keys.h"
#include "reaper/reap.h"
#include "spec/support/engine_rig.h"
#include "spec/support/paths.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string schema_text() {
  std::ifstream file(source_dir() + "/schema.sql");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> texts(const pg::Params& params) {
  std::vector<std::string> texts;
  for (const auto& param : params) texts.push_back(param.value());
  return texts;
}

TEST(Schema, LoadsAgainWithoutHarm) {
  TestDatabase database;
  EngineRig rig(database);
  const std::string key = new_key();
  ASSERT_EQ(describe(rig.run(engine_ride(key))), "201");

  EXPECT_NO_THROW(database.execute(schema_text()));

  EXPECT_EQ(database.count("users"), 2);
  EXPECT_EQ(database.count("rides"), 1);
  EXPECT_EQ(describe(rig.run(engine_ride(key))), "201 replayed");
}

TEST(Schema, KnowsTheTwoUsersOfTheContract) {
  TestDatabase database;
  EXPECT_EQ(database.count("users", std::string("email = '") + kUser + "'"), 1);
  EXPECT_EQ(database.count("users", std::string("email = '") + kDeclinedUser + "'"), 1);
}

TEST(Schema, HasNoIndexThatAnotherOneMakesRedundant) {
  TestDatabase database;
  // An index is redundant if another index has the same predicate and begins with the same columns.
  const auto redundant = database.rows(
      "SELECT a.indexrelid::regclass, b.indexrelid::regclass FROM pg_index a JOIN pg_index b "
      "    ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid "
      "   AND pg_get_expr(a.indpred, a.indrelid) IS NOT DISTINCT FROM pg_get_expr(b.indpred, b.indrelid) "
      "   AND b.indkey::text || ' ' LIKE a.indkey::text || ' %' "
      " WHERE a.indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)");
  for (const auto& row : redundant) ADD_FAILURE() << *row[1] << " makes " << *row[0] << " redundant";
}

// A change to a valid row that the schema must refuse.
struct Broken {
  std::string what;
  std::string sql;
};

constexpr const char* kValidRows = R"sql(
INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params) VALUES
  ('00000000-0000-0000-0000-000000000001', 1, 'unfinished-key-000000', 'POST', '/rides', '{}');
INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
                              recovery_point, finished_at, response_code, response_body) VALUES
  ('00000000-0000-0000-0000-000000000002', 1, 'finished-key-00000000', 'POST', '/rides', '{}',
   'finished', now(), 201, '{}');
INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
                              parked_at, last_error) VALUES
  ('00000000-0000-0000-0000-000000000003', 1, 'parked-key-0000000000', 'POST', '/rides', '{}', now(), 'why');
INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, request_params,
                              lease, locked_at) VALUES
  ('00000000-0000-0000-0000-000000000004', 1, 'leased-key-0000000000', 'POST', '/rides', '{}',
   gen_random_uuid(), now());
INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon) VALUES
  ('00000000-0000-0000-0000-000000000001', 1, -90, 180, 90, -180);
INSERT INTO rides (id, idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, stripe_charge_id)
VALUES (101, '00000000-0000-0000-0000-000000000101', 1, 0, 0, 0, 0, 'ch_101'),
       (102, '00000000-0000-0000-0000-000000000102', 1, 0, 0, 0, 0, 'ch_102');
INSERT INTO refunds (ride_id, idempotency_key_id, stripe_charge_id, stripe_refund_id, refunded_at) VALUES
  (101, '00000000-0000-0000-0000-000000000111', 'ch_101', 're_101', now()),
  (102, '00000000-0000-0000-0000-000000000112', 'ch_102', NULL, NULL);
INSERT INTO deposits (idempotency_key_id, user_id, amount) VALUES
  ('00000000-0000-0000-0000-000000000001', 1, 100000);
INSERT INTO accounts (user_id, balance) VALUES (1, 0);
INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data) VALUES
  ('created', 'ride', 1, 1, '203.0.113.7', '{}');
INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}');
)sql";

std::string unfinished(const std::string& change) {
  return "UPDATE idempotency_keys SET " + change + " WHERE idempotency_key LIKE 'unfinished%'";
}
std::string finished(const std::string& change) {
  return "UPDATE idempotency_keys SET " + change + " WHERE idempotency_key LIKE 'finished%'";
}
std::string parked(const std::string& change) {
  return "UPDATE idempotency_keys SET " + change + " WHERE idempotency_key LIKE 'parked%'";
}
std::string leased(const std::string& change) {
  return "UPDATE idempotency_keys SET " + change + " WHERE idempotency_key LIKE 'leased%'";
}
std::string open_refund(const std::string& change) {
  return "UPDATE refunds SET " + change + " WHERE ride_id = 102";
}
std::string copied(const std::string& table, const std::string& columns) {
  return "INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM " + table;
}

std::vector<Broken> broken_states() {
  const std::string key_columns = "user_id, idempotency_key, request_method, request_path, request_params";
  const std::string ride_columns =
      "idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon";
  return {
      {"two rows for one key", "INSERT INTO idempotency_keys (id, " + key_columns +
                                   ") SELECT gen_random_uuid(), " + key_columns + " FROM idempotency_keys"},
      {"a key of nobody", unfinished("user_id = 999")},
      {"a key without an owner", unfinished("user_id = NULL")},
      {"a short key", unfinished("idempotency_key = 'unfinished-key-0000'")},
      {"a long key", unfinished("idempotency_key = 'unfinished' || repeat('x', 246)")},
      {"a request that changes nothing", unfinished("request_method = 'GET'")},
      {"a request without parameters", unfinished("request_params = NULL")},
      {"a request from nowhere", unfinished("origin_ip = 'nowhere'")},
      {"no recovery point", unfinished("recovery_point = NULL")},
      {"a request that nobody attempted", unfinished("attempts = 0")},
      {"a negative number of completions", unfinished("completions = -1")},
      {"a lease without its time", unfinished("lease = gen_random_uuid()")},
      {"the time of no lease", unfinished("locked_at = now()")},
      {"finished without an answer", unfinished("recovery_point = 'finished'")},
      {"finished by name only",
       unfinished("recovery_point = 'finished', response_code = 201, response_body = '{}'")},
      {"an answer before the end", unfinished("response_code = 201, response_body = '{}'")},
      {"the end before the last recovery point",
       unfinished("finished_at = now(), response_code = 201, response_body = '{}'")},
      {"finished without a status", finished("response_code = NULL")},
      {"finished without a body", finished("response_body = NULL")},
      {"finished, and then not", finished("recovery_point = 'ride_created'")},
      {"no final status", finished("response_code = 199")},
      {"no HTTP status", finished("response_code = 600")},
      {"finished and held", finished("lease = gen_random_uuid(), locked_at = now()")},
      {"finished and parked", finished("parked_at = now(), last_error = 'why'")},
      {"parked for no reason", parked("last_error = NULL")},
      {"parked and held", parked("lease = gen_random_uuid(), locked_at = now()")},
      {"held and parked", leased("parked_at = now(), last_error = 'why'")},
      {"held and finished", leased("recovery_point = 'finished', finished_at = now(), response_code = 201, "
                                   "response_body = '{}'")},
      {"a lease whose time is lost", leased("locked_at = NULL")},
      {"two rides for one key", copied("rides", ride_columns)},
      {"a ride without a key", "UPDATE rides SET idempotency_key_id = NULL"},
      {"a ride of nobody", "UPDATE rides SET user_id = 999"},
      {"a ride from beyond the pole", "UPDATE rides SET origin_lat = 90.001"},
      {"a ride from beyond the date line", "UPDATE rides SET origin_lon = -180.001"},
      {"a ride to beyond the pole", "UPDATE rides SET target_lat = -90.001"},
      {"a ride to beyond the date line", "UPDATE rides SET target_lon = 180.001"},
      {"a ride to no number", "UPDATE rides SET target_lat = 'NaN'"},
      {"a ride to infinity", "UPDATE rides SET target_lon = 'infinity'"},
      {"a ride without a charge key", "UPDATE rides SET charge_key = NULL"},
      {"a charge without an id", "UPDATE rides SET stripe_charge_id = ''"},
      {"two refunds of one ride",
       "INSERT INTO refunds (ride_id, idempotency_key_id, stripe_charge_id) VALUES "
       "(101, gen_random_uuid(), 'ch_other')"},
      {"a refund of no ride", open_refund("ride_id = 4711")},
      {"a ride that goes and leaves its refund", "DELETE FROM rides WHERE id = 102"},
      {"a refund without a charge", open_refund("stripe_charge_id = NULL")},
      {"a refund of a charge without an id", open_refund("stripe_charge_id = ''")},
      {"a charge refunded for two rides", open_refund("stripe_charge_id = 'ch_101'")},
      {"a refund without a refund key", open_refund("refund_key = NULL")},
      {"one refund key for two rides", open_refund("refund_key = (SELECT refund_key FROM refunds WHERE "
                                                   "ride_id = 101)")},
      {"one refund of two rides", open_refund("stripe_refund_id = 're_101', refunded_at = now()")},
      {"a refund without an id", open_refund("stripe_refund_id = '', refunded_at = now()")},
      {"a refund that nobody asked for", open_refund("idempotency_key_id = NULL")},
      {"one request for the refunds of two rides",
       open_refund("idempotency_key_id = '00000000-0000-0000-0000-000000000111'")},
      {"refunded at no time", open_refund("stripe_refund_id = 're_102'")},
      {"the time of no refund", open_refund("refunded_at = now()")},
      {"two deposits for one key", copied("deposits", "idempotency_key_id, user_id, amount")},
      {"a deposit of nothing", "UPDATE deposits SET amount = 0"},
      {"a deposit that takes", "UPDATE deposits SET amount = -5"},
      {"too large a deposit", "UPDATE deposits SET amount = 100001"},
      {"two balances of one user", copied("accounts", "user_id, balance")},
      {"a debt", "UPDATE accounts SET balance = -1"},
      {"an audit record of nobody", "UPDATE audit_records SET user_id = 999"},
      {"an audit record of nothing", "UPDATE audit_records SET resource_id = NULL"},
      {"a job without a name", "UPDATE staged_jobs SET job_name = ''"},
      {"a job without an id", "UPDATE staged_jobs SET job_id = NULL"},
      {"a job without arguments", "UPDATE staged_jobs SET job_args = NULL"},
      {"two users with one address",
       "INSERT INTO users (email, stripe_customer_id) SELECT email, 'cus_other' FROM users"},
      {"two users with one card",
       "INSERT INTO users (email, stripe_customer_id) SELECT 'other' || email, stripe_customer_id FROM "
       "users"},
      {"a user without an address", "UPDATE users SET email = ''"},
      {"a user who goes and leaves rides", "DELETE FROM users"},
  };
}

TEST(Schema, RefusesBrokenStates) {
  TestDatabase database;
  ASSERT_NO_THROW(database.execute(kValidRows)) << "otherwise nothing below means anything";
  for (const Broken& broken : broken_states()) {
    try {
      const auto touched = database.execute(broken.sql);
      ADD_FAILURE() << "possible, for " << touched << " rows: " << broken.what;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), testing::AnyOf(HasSubstr("violates"), HasSubstr("invalid input syntax")))
          << broken.what;
    }
  }
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

TEST(Schema, MakesProgressWithoutTouchingAnIndex) {
  TestDatabase database;
  ScriptedGateway gateway;
  const idempotency::Flow flow = endpoints::rides(gateway, {}).flow;
  UpdateCounter counter(database);
  const auto run = [&](const pg::Query& query) {
    const std::vector<const pg::Query*> itself{&query};
    const pg::Query sent = query.statement->takes_set ? pg::as_set(itself) : query;
    counter.session().rows(sent.statement->sql, texts(sent.params));
  };
  const idempotency::Request request = engine_ride(new_key());
  const idempotency::Lease lease{kUser, request.key, time_ordered_uuid(), random_uuid()};
  const idempotency::Lease second{kUser, request.key, time_ordered_uuid(), random_uuid()};
  const auto local = [&](std::size_t step) {
    return pg::Query(std::get<idempotency::LocalPhase>(flow.steps.at(step).phase).statement,
                     {lease.key_id, second.token});
  };
  const auto& foreign = std::get<idempotency::ForeignPhase>(flow.steps.at(1).phase);

  run(idempotency::claim(request, lease, std::chrono::seconds(90)));
  run(idempotency::release(lease, "connection refused"));
  run(idempotency::claim(request, second, std::chrono::seconds(90)));
  run(local(0));
  run({foreign.record, {lease.key_id, second.token, "ch_1"}});
  ASSERT_EQ(database.of_key(request.key, "recovery_point"), "charge_created");
  const auto progress = counter.take();
  EXPECT_EQ(progress.all, 4);
  EXPECT_EQ(progress.heap_only, 4);

  // Finishing does change an index, which shows that the count above works.
  run(local(2));
  ASSERT_EQ(database.of_key(request.key, "recovery_point"), "finished");
  const auto end = counter.take();
  EXPECT_EQ(end.all, 1);
  EXPECT_EQ(end.heap_only, 0);
}

TEST(Schema, LeavesRoomForProgressOnFullPages) {
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
class HeavySchema : public testing::Test {
 protected:
  HeavySchema() : session_(database_.open_session()) {
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
    session_.execute("ANALYZE idempotency_keys");
    session_.execute("ANALYZE users");
  }

  // The plans of the query as our programs send it, prepared and with parameters: the plan of the first
  // executions, and the generic plan that the server uses later.
  std::vector<std::string> plans(const pg::Query& query) {
    const std::string name = query.statement->name;
    session_.execute("PREPARE " + name + " AS " + query.statement->sql);
    std::string arguments;
    for (const std::string& value : texts(query.params)) {
      arguments += (arguments.empty() ? "'" : ", '") + value + "'";
    }
    if (!arguments.empty()) arguments = "(" + arguments + ")";
    std::vector<std::string> plans;
    for (int i = 0; i < 8; ++i) {
      std::string plan;
      for (const auto& row : session_.rows("EXPLAIN EXECUTE " + name + arguments)) {
        plan += *row[0] + '\n';
      }
      plans.push_back(plan);
    }
    return plans;
  }

  void expect_served_by(const std::string& index, const pg::Query& query) {
    for (const std::string& plan : plans(query)) {
      EXPECT_THAT(plan, HasSubstr("using " + index + " on idempotency_keys"));
      EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on idempotency_keys")));
    }
  }

  TestDatabase database_;
  SqlSession session_;
};

TEST_F(HeavySchema, ServesTheWorkersQueriesByTheirIndexes) {
  expect_served_by("idempotency_keys_unfinished", completer::take_abandoned({}, 1000, random_uuid()));
  expect_served_by("idempotency_keys_unfinished", completer::give_back_taken({random_uuid()}));
  expect_served_by("idempotency_keys_unfinished", completer::park_hopeless({}, 1000));
  expect_served_by("idempotency_keys_finished", reaper::reap(std::chrono::hours(72), 1000));
  for (const std::string& plan : plans(completer::list_parked())) {
    EXPECT_THAT(plan, HasSubstr("idempotency_keys_parked"));
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on idempotency_keys")));
  }
}

}  // namespace
}  // namespace rocket::spec
