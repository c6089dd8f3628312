#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <string>

#include "rocket/pg/errors.h"
#include "spec/fault/effects.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// A session's prepared statements no longer fit: a table was altered, or the statements were deallocated.
namespace rocket::spec {
namespace {

class StaleSession : public testing::Test {
 protected:
  // Runs `command` in the program's own sessions when they commit a change of this table.
  void at_commit(const std::string& change, const std::string& table, const std::string& command) {
    database_.execute("CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN " + command +
                      " RETURN NULL; END $f$; CREATE CONSTRAINT TRIGGER at_commit AFTER " + change + " ON " +
                      table + " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()");
  }

  TestDatabase database_;
  Ledger ledger_;
};

class StaleSessionOfTheApi : public StaleSession {
 protected:
  void expect_all_well(Traffic& traffic) {
    traffic.end();
    SqlSession session = database_.open_session();
    expect_same_bytes(session, traffic.rides());
    expect_one_effect_per_key(session, ledger_, traffic.done());
    EXPECT_THAT(api_.process().output(), testing::Not(testing::HasSubstr("statement failed")));
  }

  ApiProcess api_{database_, {{"MOCK_LEDGER", ledger_.path()}}};
};

TEST_F(StaleSessionOfTheApi, IsNotFeltAfterATableWasAltered) {
  ASSERT_EQ(api_.send(ride_request(new_key())).status, 201);
  for (const char* type : {"varchar(80)", "text", "varchar(90)"}) {
    database_.execute(std::string("ALTER TABLE idempotency_keys ALTER recovery_point TYPE ") + type);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(api_.send(ride_request(new_key())).status, 201);
  }
}

TEST_F(StaleSessionOfTheApi, LosesNothingWhileTablesAreAltered) {
  Traffic traffic({api_.port()}, 12);
  ASSERT_TRUE(traffic.goes_on(20));
  for (const char* type : {"varchar(80)", "text", "varchar(90)"}) {
    database_.execute(std::string("ALTER TABLE idempotency_keys ALTER recovery_point TYPE ") + type);
    ASSERT_TRUE(traffic.goes_on(50));
  }
  expect_all_well(traffic);
}

TEST_F(StaleSessionOfTheApi, LosesNothingWhilePreparedStatementsAreLost) {
  at_commit("INSERT", "rides", "IF random() < 0.2 THEN EXECUTE 'DEALLOCATE ALL'; END IF;");
  Traffic traffic({api_.port()}, 12);
  ASSERT_TRUE(traffic.goes_on(200));
  expect_all_well(traffic);
}

TEST_F(StaleSessionOfTheApi, IsNotFeltWhenAStatementIsPreparedAlready) {
  at_commit("INSERT", "rides", "EXECUTE 'PREPARE find_account AS SELECT 1';");
  // The lane of this ride now has the statement. Several requests follow, so that one of them uses that lane.
  ASSERT_EQ(api_.send(ride_request(new_key())).status, 201);
  for (int i = 0; i < 8; ++i) {
    const ClientResponse account = api_.send(get_request("/account"));
    EXPECT_EQ(account.status, 200);
    EXPECT_EQ(account.body, R"({"balance":0,"currency":"usd"})");
  }
}

TEST_F(StaleSession, OfAWorkerIsNotFelt) {
  const ChildProcess enqueuer("enqueuer", {{"DATABASE_URL", database_.url()}, {"ENQUEUER_IDLE_MS", "20"}});
  const auto expect_moved = [&] {
    database_.execute("INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}')");
    EXPECT_TRUE(eventually([&] { return database_.count("staged_jobs") == 0; }));
  };
  expect_moved();
  database_.execute("ALTER TABLE staged_jobs ALTER job_name TYPE varchar(90)");
  expect_moved();
  at_commit("DELETE", "staged_jobs", "EXECUTE 'DEALLOCATE ALL';");
  for (int i = 0; i < 3; ++i) expect_moved();
  EXPECT_THAT(enqueuer.output(), testing::Not(testing::HasSubstr("cannot work")));
}

// The unit drops its own prepared statements, so it fails each time that it is tried.
TEST_F(StaleSession, ThatStaysSoIsTriedTwiceAndNotForEver) {
  static constexpr pg::Statement kNothing{"spec_nothing", "SELECT ''"};
  static constexpr pg::Statement kForget{"spec_forget", "DEALLOCATE ALL"};
  EngineRig rig(database_, RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
  pg::Unit unit;
  for (const pg::Statement* statement : {&kNothing, &kForget, &kNothing}) {
    unit.queries.emplace_back(*statement, pg::Params{});
  }
  auto forgotten =
      asio::co_spawn(rig.lane().executor(), rig.lane().commit(std::move(unit)), asio::use_future);
  ASSERT_EQ(forgotten.wait_for(std::chrono::seconds(15)), std::future_status::ready);
  EXPECT_THROW(forgotten.get(), pg::Unavailable);
  // The next request gets a good session.
  EXPECT_EQ(describe(rig.run(engine_deposit(new_key(), 5))), "201");
}

}  // namespace
}  // namespace rocket::spec
