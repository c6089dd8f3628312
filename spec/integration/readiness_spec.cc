#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/parallel_replays.h"
#include "spec/support/paths.h"
#include "spec/support/requests.h"
#include "spec/support/roles.h"
#include "spec/support/test_database.h"

// A database that answers but is of no use, because something in it is missing or the role lacks a right.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string unique_name(const std::string& prefix) {
  std::string name = prefix + random_uuid();
  for (char& each : name) {
    if (each == '-') each = '_';
  }
  return name;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// A database, and a role that has only the rights that the processes need.
class LimitedRole {
 public:
  LimitedRole() {
    database_.execute("CREATE ROLE " + name_ + " LOGIN");
    database_.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + name_);
    database_.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + name_);
  }
  ~LimitedRole() {
    database_.execute("DROP OWNED BY " + name_);
    database_.execute("DROP ROLE " + name_);
  }
  LimitedRole(const LimitedRole&) = delete;
  LimitedRole& operator=(const LimitedRole&) = delete;

  TestDatabase& database() { return database_; }
  std::string url() const { return url_with(database_.url(), {{"user", name_}}); }
  // Runs the SQL with the role's name in place of ROLE.
  void execute(std::string sql) {
    if (const auto at = sql.find("ROLE"); at != std::string::npos) sql.replace(at, 4, name_);
    database_.execute(sql);
  }

 private:
  std::string name_ = unique_name("rocket_spec_role_");
  TestDatabase database_;
};

struct Lack {
  std::string name;
  std::string lose;
  std::string mend;
  // What the service must say about the problem.
  std::string says;
};

void PrintTo(const Lack& lack, std::ostream* out) { *out << lack.name; }

class Readiness : public testing::TestWithParam<Lack> {
 protected:
  LimitedRole role_;
};

INSTANTIATE_TEST_SUITE_P(
    Without, Readiness,
    testing::Values(Lack{"ATable", "ALTER TABLE refunds RENAME TO elsewhere",
                         "ALTER TABLE elsewhere RENAME TO refunds", "refunds"},
                    Lack{"AColumn", "ALTER TABLE deposits RENAME amount TO elsewhere",
                         "ALTER TABLE deposits RENAME elsewhere TO amount", "does not exist"},
                    Lack{"AConstraint", "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey",
                         "ALTER TABLE accounts ADD PRIMARY KEY (user_id)", "ON CONFLICT"},
                    Lack{"TheRightToInsertRides", "REVOKE INSERT ON rides FROM ROLE",
                         "GRANT INSERT ON rides TO ROLE", "permission denied for table rides"},
                    Lack{"TheRightToASequence", "REVOKE USAGE ON SEQUENCE rides_id_seq FROM ROLE",
                         "GRANT USAGE ON SEQUENCE rides_id_seq TO ROLE",
                         "permission denied for sequence rides_id_seq"}),
    [](const auto& each) { return each.param.name; });

TEST_P(Readiness, EndsAndComesBackUnderARunningApi) {
  ApiProcess api(role_.url(), {});
  const auto ready = [&] { return api.send(get_request("/readyz")); };
  ASSERT_EQ(ready().status, 200) << ready().body;
  ASSERT_EQ(api.send(ride_request(new_key())).status, 201);

  role_.execute(GetParam().lose);
  ClientResponse answer;
  ASSERT_TRUE(eventually([&] { return (answer = ready()).status == 503; })) << answer.body;
  EXPECT_EQ(answer.code(), "database_not_ready");
  const auto missing = nlohmann::json::parse(answer.body).at("missing");
  ASSERT_EQ(missing.size(), 1U) << answer.body;
  EXPECT_THAT(missing[0].get<std::string>(), HasSubstr(GetParam().says));
  EXPECT_GE(answer.header("retry-after"), "1");
  const ClientResponse problem = api.send(get_request("/readyz").with("Accept", "application/problem+json"));
  EXPECT_EQ(nlohmann::json::parse(problem.body).at("missing"), missing);

  role_.execute(GetParam().mend);
  EXPECT_TRUE(eventually([&] { return (answer = ready()).status == 200; })) << answer.body;
  EXPECT_TRUE(eventually([&] { return api.send(ride_request(new_key())).status == 201; }));
  api.process().wait_for_line("database is ready");
  EXPECT_EQ(count_of(api.process().output(), "database is not ready"), 1U) << api.process().output();
  // A failed probe is an answer, not an error for the log.
  EXPECT_THAT(api.process().output(), Not(HasSubstr("explain_")));
}

TEST_P(Readiness, IsLookedAtByAnApiThatStarts) {
  role_.execute(GetParam().lose);
  ApiProcess api(role_.url(), {});
  EXPECT_THAT(api.process().wait_for_line("database is not ready"), HasSubstr(GetParam().says));
  EXPECT_EQ(api.send(get_request("/readyz")).status, 503);
  EXPECT_EQ(api.send(get_request("/healthz")).status, 200);
}

TEST_P(Readiness, IsWaitedForByACompleter) {
  role_.execute(GetParam().lose);
  const ChildProcess completer("completer", {{"DATABASE_URL", role_.url()}, {"COMPLETER_IDLE_MS", "20"}});
  EXPECT_THAT(completer.wait_for_line("cannot work"), HasSubstr(GetParam().says));
  role_.execute(GetParam().mend);
  completer.wait_for_line("working again");
  EXPECT_EQ(count_of(completer.output(), "cannot work"), 1U) << completer.output();
}

TEST(ReadinessOfWorkers, IsCheckedForWhatEachDoes) {
  LimitedRole role;
  role.execute("REVOKE DELETE ON staged_jobs, idempotency_keys FROM ROLE");
  const Environment environment{{"DATABASE_URL", role.url()}};
  for (const auto& [process, table] :
       {std::pair("enqueuer", "staged_jobs"), std::pair("reaper", "idempotency_keys")}) {
    const ChildProcess worker(process, environment);
    EXPECT_THAT(worker.wait_for_line("cannot work"),
                HasSubstr("not ready; permission denied for table " + std::string(table)));
  }
  role.execute("GRANT DELETE ON staged_jobs, idempotency_keys TO ROLE");
}

TEST(ReadinessOfWorkers, NeedsNoRightThatAWorkerDoesNotUse) {
  LimitedRole role;
  role.execute("REVOKE ALL ON rides, refunds, deposits, accounts, audit_records FROM ROLE");
  role.database().execute("INSERT INTO staged_jobs (job_name, job_args) VALUES ('a_job', '{}')");
  const ChildProcess enqueuer("enqueuer", {{"DATABASE_URL", role.url()}});
  enqueuer.wait_for_line("moved");
  EXPECT_THAT(enqueuer.output(), Not(HasSubstr("cannot work")));
}

class Encoding : public testing::TestWithParam<std::string> {
 protected:
  Encoding() {
    maintenance_.execute("CREATE DATABASE " + name_ + " ENCODING '" + GetParam() +
                         "' LOCALE 'C' TEMPLATE template0");
    SqlSession(url_).execute(schema());
    load_roles(url_);
  }
  ~Encoding() override { maintenance_.execute("DROP DATABASE " + name_ + " WITH (FORCE)"); }

  SqlSession maintenance_{maintenance_url()};
  std::string name_ = unique_name("rocket_spec_");
  std::string url_ = url_with(maintenance_url(), {{"dbname", name_}});
};

INSTANTIATE_TEST_SUITE_P(Of, Encoding, testing::Values("LATIN1", "SQL_ASCII"),
                         [](const auto& each) { return each.param; });

TEST_P(Encoding, ThatCannotHoldEveryAnswerIsRefused) {
  ApiProcess api(url_, {});
  EXPECT_THAT(api.process().wait_for_line("database is not ready"), HasSubstr("encoding " + GetParam()));
  const ClientResponse answer = api.send(get_request("/readyz"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.code(), "database_not_ready");
  EXPECT_THAT(answer.body, HasSubstr("encoding " + GetParam()));
  for (const char* worker : {"completer", "enqueuer", "reaper"}) {
    const ChildProcess process(worker, {{"DATABASE_URL", url_}});
    EXPECT_THAT(process.wait_for_line("cannot work"), HasSubstr("encoding " + GetParam()));
  }
}

TEST(ReadinessAskedOften, IsCheckedOnceASecond) {
  TestDatabase database;
  CuttingProxy proxy(database.url(), CuttingProxy::Counts::kStatements);
  const ApiProcess api(proxy.url(), {});
  const auto passed = [&] { return proxy.passed(CuttingProxy::To::kServer); };
  ASSERT_EQ(api.send(get_request("/readyz")).status, 200);
  const std::size_t before = passed();

  const auto begin = std::chrono::steady_clock::now();
  HttpConnection connection = api.connect();
  constexpr std::size_t kTimes = 500;
  for (std::size_t i = 0; i < kTimes; ++i) {
    ASSERT_EQ(connection.exchange(get_request("/readyz")).status, 200);
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count();
  constexpr std::size_t kStatementsOfACheck = 40;
  EXPECT_LT(passed() - before, (static_cast<std::size_t>(took) + 1) * kStatementsOfACheck);
}

// A locked table makes requests wait, but nothing is missing.
TEST(ReadinessOfALockedTable, IsWhatItWas) {
  TestDatabase database;
  const ApiProcess api(database, {kDefaultDatabaseTimeout});
  ASSERT_EQ(api.send(get_request("/readyz")).status, 200);
  SqlSession holder = database.open_session();
  holder.execute("BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
  // A failed request makes the api forget the last result of its check.
  ASSERT_EQ(api.send(deposit_request(kUser, "5")).status, 503);
  EXPECT_EQ(api.send(get_request("/readyz")).status, 200);
  EXPECT_EQ(api.send(get_request("/rides/1")).status, 404);
  holder.execute("ROLLBACK");
}

}  // namespace
}  // namespace rocket::spec
