#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spec/support/engine_rig.h"
#include "spec/support/paths.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

using testing::HasSubstr;

TEST(Schema, LoadsAgainWithoutHarm) {
  TestDatabase database;
  EngineRig rig(database);
  const std::string key = new_key();
  ASSERT_EQ(describe(rig.run(engine_ride(key))), "201");

  EXPECT_NO_THROW(database.execute(schema()));

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
INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, price_cents) VALUES
  ('00000000-0000-0000-0000-000000000001', 1, -90, 180, 90, -180, 2000);
INSERT INTO rides (id, idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, price_cents,
                   stripe_charge_id)
VALUES (101, '00000000-0000-0000-0000-000000000101', 1, 0, 0, 0, 0, 2000, 'ch_101'),
       (102, '00000000-0000-0000-0000-000000000102', 1, 0, 0, 0, 0, 2000, 'ch_102');
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

}  // namespace
}  // namespace rocket::spec
