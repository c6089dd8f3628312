#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/roles.h"
#include "spec/support/test_database.h"

// Each process has a role of its own, which may do only what the process does; see bin/support/roles.sql.
// That it may do all of that, all specs show that start a process.
namespace rocket::spec {
namespace {

using testing::HasSubstr;

// What the server says when the role of this process runs the statement; "nothing" if it runs.
std::string answer_to(const TestDatabase& database, const std::string& process, const std::string& sql) {
  SqlSession session(url_of_role(database.url(), process));
  try {
    session.execute("BEGIN; " + sql + "; ROLLBACK");
    return "nothing";
  } catch (const std::runtime_error& refused) {
    return refused.what();
  }
}

struct Needless {
  std::string process;
  std::vector<std::string> statements;
};

void PrintTo(const Needless& needless, std::ostream* out) { *out << needless.process; }

class Role : public testing::TestWithParam<Needless> {
 protected:
  TestDatabase database_;
};

INSTANTIATE_TEST_SUITE_P(
    OfThe, Role,
    testing::Values(
        Needless{"api",
                 {"INSERT INTO users (email, stripe_customer_id) VALUES ('a@example.com', 'cus_a')",
                  "UPDATE users SET stripe_customer_id = 'cus_of_a_thief'",
                  "UPDATE users SET disabled_at = NULL",
                  "DELETE FROM users",
                  "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes) "
                  "VALUES ('000000000000', repeat('0', 64), 1, 'mine', '{operate}')",
                  "UPDATE api_tokens SET expires_at = NULL",
                  "UPDATE api_tokens SET revoked_at = NULL",
                  "UPDATE api_tokens SET scopes = '{operate}'",
                  "DELETE FROM api_tokens",
                  "UPDATE idempotency_keys SET user_id = 2",
                  "UPDATE idempotency_keys SET request_params = '{}'",
                  "UPDATE rides SET price_cents = 1",
                  "UPDATE rides SET user_id = 2",
                  "DELETE FROM rides",
                  "UPDATE refunds SET ride_id = 2",
                  "DELETE FROM refunds",
                  "UPDATE deposits SET amount = 100000",
                  "DELETE FROM deposits",
                  "DELETE FROM accounts",
                  "UPDATE staged_jobs SET job_args = '{}'",
                  "SELECT origin_ip FROM audit_records",
                  "DELETE FROM staged_jobs",
                  "SELECT * FROM audit_records",
                  "INSERT INTO audit_records (action, resource_type, resource_id, user_id, data, created_at) "
                  "VALUES ('created', 'ride', 1, 1, '{}', now() - interval '1 year')"}},
        Needless{"completer",
                 {"INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
                  "request_params) VALUES (gen_random_uuid(), 1, 'a-key-of-20-characters', 'POST', '/rides', "
                  "'{}')",
                  "UPDATE users SET stripe_customer_id = 'cus_of_a_thief'", "DELETE FROM users",
                  "SELECT * FROM api_tokens", "UPDATE idempotency_keys SET user_id = 2",
                  "UPDATE idempotency_keys SET created_at = now()", "UPDATE rides SET price_cents = 1",
                  "DELETE FROM rides", "UPDATE deposits SET amount = 100000", "SELECT * FROM staged_jobs",
                  "DELETE FROM staged_jobs", "SELECT * FROM audit_records"}},
        Needless{"enqueuer",
                 {"SELECT email FROM users", "SELECT * FROM api_tokens", "SELECT * FROM idempotency_keys",
                  "SELECT * FROM rides", "SELECT * FROM accounts", "SELECT * FROM audit_records",
                  "UPDATE staged_jobs SET job_args = '{}'",
                  "INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}')",
                  "DELETE FROM idempotency_keys"}},
        Needless{
            "reaper",
            {"SELECT email FROM users", "SELECT * FROM api_tokens", "DELETE FROM api_tokens",
             "DELETE FROM deposits", "SELECT origin_lat FROM rides", "UPDATE rides SET price_cents = 1",
             "SELECT stripe_charge_id FROM refunds", "SELECT idempotency_key FROM idempotency_keys",
             "SELECT response_body FROM idempotency_keys", "UPDATE idempotency_keys SET finished_at = now()",
             "UPDATE idempotency_keys SET lease = NULL", "SELECT * FROM staged_jobs",
             "DELETE FROM staged_jobs", "SELECT * FROM audit_records",
             "INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}')"}},
        Needless{"simulator",
                 {"UPDATE users SET stripe_customer_id = 'cus_of_a_thief'", "DELETE FROM users",
                  "SELECT stripe_customer_id FROM users", "SELECT token_hash FROM api_tokens",
                  "UPDATE api_tokens SET scopes = '{operate}'", "UPDATE idempotency_keys SET lease = NULL",
                  "DELETE FROM idempotency_keys", "UPDATE rides SET stripe_charge_id = NULL",
                  "DELETE FROM rides", "UPDATE accounts SET balance = 0", "DELETE FROM staged_jobs",
                  "INSERT INTO audit_records (action, resource_type, resource_id, user_id, data) "
                  "VALUES ('created', 'ride', 1, 1, '{}')"}}),
    [](const auto& each) { return each.param.process; });

TEST_P(Role, MayNotDoWhatItsProcessNeedNotDo) {
  for (const std::string& statement : GetParam().statements) {
    EXPECT_THAT(answer_to(database_, GetParam().process, statement), HasSubstr("permission denied for"))
        << statement;
  }
}

TEST_P(Role, MayChangeAndRemoveNoAuditRecord) {
  for (const char* statement :
       {"UPDATE audit_records SET user_id = 2", "UPDATE audit_records SET origin_ip = NULL",
        "UPDATE audit_records SET data = '{}'", "DELETE FROM audit_records", "TRUNCATE audit_records",
        "SELECT FROM audit_records FOR UPDATE"}) {
    EXPECT_THAT(answer_to(database_, GetParam().process, statement),
                HasSubstr("permission denied for table audit_records"))
        << statement;
  }
  // It removes old records only.
  const std::string remove = "SELECT remove_old_audit_records('0', 1)";
  EXPECT_EQ(answer_to(database_, GetParam().process, remove) == "nothing", GetParam().process == "reaper");
}

TEST_P(Role, OwnsNothingAndMakesNothing) {
  const std::string& process = GetParam().process;
  for (const char* statement : {"ALTER TABLE users ADD password text", "DROP TABLE rides",
                                "CREATE TRIGGER t BEFORE INSERT ON rides "
                                "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"}) {
    EXPECT_THAT(answer_to(database_, process, statement),
                testing::AnyOf(HasSubstr("must be owner of"), HasSubstr("permission denied for table")))
        << statement;
  }
  for (const char* statement : {"CREATE TABLE more (id int)", "CREATE ROLE more", "SET ROLE rocket_nobody",
                                "COPY (SELECT 1) TO PROGRAM 'true'"}) {
    EXPECT_NE(answer_to(database_, process, statement), "nothing") << statement;
  }
  EXPECT_EQ(
      database_.number("SELECT count(*) FROM pg_roles WHERE rolname = $1 AND (rolsuper OR rolcreaterole OR "
                       "rolcreatedb OR rolreplication OR rolbypassrls)",
                       {"rocket_" + process}),
      0);
}

// The user of the process's session, which is told from others by this application_name.
std::string user_of(TestDatabase& database, const std::string& process, Environment environment) {
  constexpr const char* kIsOfTheSpec = "application_name = 'of the spec' AND datname = current_database()";
  // The sessions of the last process may take a moment to end.
  EXPECT_TRUE(eventually([&] { return database.count("pg_stat_activity", kIsOfTheSpec) == 0; }));
  environment.insert({{"API_PORT", "0"}, {"API_URL", "http://127.0.0.1:1"}});
  const ChildProcess running(process, environment);
  std::string user = "nobody";
  const bool is_there = eventually([&] {
    const auto found =
        database.rows(std::string("SELECT usename FROM pg_stat_activity WHERE ") + kIsOfTheSpec + " LIMIT 1");
    if (!found.empty()) user = *found[0][0];
    return !found.empty();
  });
  EXPECT_TRUE(is_there) << running.output();
  return user;
}

// Such a function works as the owner of the tables. Its caller must not be able to put something else in
// their place.
TEST(RoleOfTheReaper, CannotMakeTheOwnerWorkForIt) {
  TestDatabase database;
  const std::string trap =
      "CREATE TEMPORARY TABLE audit_records (id bigint, created_at timestamptz); "
      "INSERT INTO audit_records VALUES (1, now() - interval '90 days'); "
      "CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN RAISE EXCEPTION 'runs as %', current_user; END $$; "
      "CREATE TRIGGER trap BEFORE DELETE ON audit_records FOR EACH ROW EXECUTE FUNCTION pg_temp.trap(); "
      "SELECT remove_old_audit_records(0, 10)";
  EXPECT_EQ(answer_to(database, "reaper", trap), "nothing") << "and not the trap";
}

TEST(RoleOfTheReaper, RemovesNoYoungAuditRecord) {
  TestDatabase database;
  database.execute(
      "INSERT INTO audit_records (action, resource_type, resource_id, user_id, data, created_at) "
      "VALUES ('a', 'b', 1, 1, '{}', now() - interval '29 days')");
  SqlSession reaper(url_of_role(database.url(), "reaper"));
  for (const char* age : {"0", "-1", "-9223372036854775808", "60", "2591999"}) {
    EXPECT_EQ(reaper.value("SELECT remove_old_audit_records($1::bigint, 10)", {age}), "0") << age;
  }
  database.execute("UPDATE audit_records SET created_at = now() - interval '31 days'");
  EXPECT_EQ(reaper.value("SELECT remove_old_audit_records(9223372036854775807, 10)"), "0");
  EXPECT_EQ(reaper.value("SELECT remove_old_audit_records(60, 10)"), "1");
}

TEST_P(Role, IsChosenByTheVariableOfItsProcess) {
  const std::string& process = GetParam().process;
  const std::string variable = variable_of_url(process);
  const std::string url = url_with(database_.url(), {{"application_name", "of the spec"}});
  const std::string owner = database_.value("SELECT current_user");
  EXPECT_EQ(user_of(database_, process, {{"DATABASE_URL", url}}), "rocket_" + process)
      << "the usual way of specs";
  EXPECT_EQ(user_of(database_, process, {{"DATABASE_URL", url}, {variable, ""}}), owner);
  EXPECT_EQ(
      user_of(database_, process,
              {{"DATABASE_URL", "host=/nonexistent dbname=rides"}, {variable, url_of_role(url, process)}}),
      "rocket_" + process);
  const Finished mistaken =
      run_to_end(process, {{"DATABASE_URL", url}, {variable, "postgresql://db.example.com/rides"}});
  EXPECT_EQ(mistaken.exit.code, 2);
  EXPECT_THAT(mistaken.output, HasSubstr(variable + " leads to another machine"));
}

// What the api's own role may not do, its commands do with that of DATABASE_URL.
TEST(Roles, AreNotForCommandsOfTheOwner) {
  const TestDatabase database;
  const std::vector<std::string> command{"--create-user", "a@example.com"};
  const Environment own{{variable_of_url("api"), url_of_role(database.url(), "api")}};
  const Finished refused = run_to_end("api", own, command);
  EXPECT_EQ(refused.exit.code, 2);
  EXPECT_THAT(refused.output, HasSubstr("DATABASE_URL is not set; here it must have the role that owns"));
  Environment both = own;
  both["DATABASE_URL"] = database.url();
  const Finished done = run_to_end("api", both, command);
  EXPECT_EQ(done.exit.code, 0) << done.output;
}

TEST(Roles, LoseWhatTheyNoLongerNeedWhenTheyAreLoadedAgain) {
  TestDatabase database;
  database.execute(
      "GRANT DELETE ON audit_records TO rocket_api; GRANT UPDATE (email) ON users TO rocket_enqueuer; "
      "GRANT USAGE ON SEQUENCE rides_id_seq TO rocket_reaper");
  load_roles(database.url());
  EXPECT_NE(answer_to(database, "api", "DELETE FROM audit_records"), "nothing");
  EXPECT_NE(answer_to(database, "enqueuer", "UPDATE users SET email = 'a@example.com'"), "nothing");
  EXPECT_NE(answer_to(database, "reaper", "SELECT nextval('rides_id_seq')"), "nothing");
  EXPECT_EQ(answer_to(database, "api", "SELECT * FROM users"), "nothing");
  EXPECT_EQ(answer_to(database, "enqueuer", "DELETE FROM staged_jobs"), "nothing");
}

// Uses new roles, so that they have to be made.
TEST(Roles, MayBeLoadedBySeveralAtOnce) {
  constexpr int kLoadsOfEach = 4;
  const std::string prefix = "rocket_spec_" + std::to_string(::getpid()) + "_";
  std::string sql = roles();
  for (auto at = sql.find("rocket_"); at != std::string::npos; at = sql.find("rocket_", at + prefix.size())) {
    sql.replace(at, std::string("rocket_").size(), prefix);
  }
  TestDatabase one;
  TestDatabase other;
  std::vector<std::future<void>> loads;
  for (int i = 0; i < kLoadsOfEach; ++i) {
    for (const TestDatabase* each : {&one, &other}) {
      loads.push_back(std::async(std::launch::async,
                                 [&sql, session = each->open_session()]() mutable { session.execute(sql); }));
    }
  }
  for (auto& load : loads) EXPECT_NO_THROW(load.get());
  const std::string all = prefix + "api, " + prefix + "completer, " + prefix + "enqueuer, " + prefix +
                          "reaper, " + prefix + "simulator";
  for (TestDatabase* each : {&one, &other}) {
    EXPECT_EQ(each->value("SELECT has_table_privilege($1, 'staged_jobs', 'DELETE')", {prefix + "enqueuer"}),
              "t");
    each->execute("DROP OWNED BY " + all);
  }
  one.execute("DROP ROLE " + all);
}

}  // namespace
}  // namespace rocket::spec
