#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <string>

#include "rocket/base/ids.h"
#include "spec/integration/completer_rig.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"

// The completer as a program: its command line, its settings and its shutdown.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using testing::HasSubstr;
using testing::Not;

std::string only_id(TestDatabase& database, const std::string& key) { return database.of_key(key, "id"); }

Environment eager(const TestDatabase& database) {
  return {{"DATABASE_URL", database.url()},
          {"COMPLETER_GRACE_S", "0"},
          {"COMPLETER_PAUSE_S", "0"},
          {"COMPLETER_IDLE_MS", "20"}};
}

TEST(CompleterProcess, LooksAnOldChargeUpInTheLedgerInsteadOfRepeatingIt) {
  TestDatabase database;
  Ledger ledger;
  const std::string known = abandon(database, {.recovery_point = "ride_created", .age = "30 hours"});
  const std::string charge_key = database.value("SELECT charge_key FROM rides");
  const std::string ride_id = database.value("SELECT id FROM rides");
  std::ofstream(ledger.path()) << charge_key << " cus_user 2000 " << ride_id << " ch_in_ledger lost\n";
  Environment environment = eager(database);
  environment["MOCK_LEDGER"] = ledger.path();

  const ChildProcess completer("completer", environment);
  ASSERT_TRUE(eventually([&] { return is_finished(database, known); })) << completer.output();

  EXPECT_EQ(ledger.calls().size(), 1U) << "it must not be sent again";
  EXPECT_EQ(database.value("SELECT stripe_charge_id FROM rides"), "ch_in_ledger");
}

TEST(CompleterProcess, ParksAnOldChargeListsItAndResumesItForAPerson) {
  TestDatabase database;
  const std::string key = abandon(database, {.recovery_point = "ride_created", .age = "30 hours"});
  const std::string id = only_id(database, key);
  const Environment environment = eager(database);
  const ChildProcess completer("completer", environment);
  ASSERT_TRUE(eventually([&] { return database.of_key(key, "parked_at") != "NULL"; })) << completer.output();

  const Finished list = run_to_end("completer", environment, {"--list-parked"});
  EXPECT_EQ(list.exit.code, 0);
  EXPECT_THAT(list.output, HasSubstr(id));
  EXPECT_THAT(list.output, HasSubstr(kUser));
  EXPECT_THAT(list.output, HasSubstr("POST /rides"));
  EXPECT_THAT(list.output, HasSubstr("ride_created"));
  EXPECT_THAT(list.output, HasSubstr("too old to repeat"));
  EXPECT_THAT(list.output, Not(HasSubstr(key))) << "a key is the client's secret";

  const Finished resume = run_to_end("completer", environment, {"--resume", id});
  EXPECT_EQ(resume.exit.code, 0) << resume.output;
  EXPECT_EQ(database.count("audit_records",
                           "action = 'key_resumed' AND data ? 'operator' AND data->>'key_id' = '" + id + "'"),
            1);
  EXPECT_TRUE(eventually([&] { return is_finished(database, key); })) << completer.output();
  EXPECT_EQ(database.of_key(key, "response_code"), "201");
  EXPECT_THAT(run_to_end("completer", environment, {"--list-parked"}).output, HasSubstr("0 parked"));
}

TEST(CompleterProcess, GivesAResumedKeyItsFullPatienceAtOnce) {
  TestDatabase database;
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET completions = 20, last_run_at = now()");
  database.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'too many attempts'");
  EXPECT_EQ(run_to_end("completer", eager(database), {"--resume", only_id(database, key)}).exit.code, 0);

  ScriptedGateway gateway;
  gateway.plan(Behaviour::kIsAway);
  CompleterRig completer(database, gateway);
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "completions"), "1");
  EXPECT_EQ(database.of_key(key, "parked_at"), "NULL");
  let_pass(database, key, "121 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(CompleterProcess, RefusesToResumeWhatIsNotParked) {
  TestDatabase database;
  const std::string unparked = only_id(database, abandon(database));
  for (const std::string& id : {random_uuid(), unparked}) {
    const Finished finished = run_to_end("completer", eager(database), {"--resume", id});
    EXPECT_EQ(finished.exit.code, 1);
    EXPECT_THAT(finished.output, HasSubstr("no parked key has the id " + id));
  }
  const Finished finished = run_to_end("completer", eager(database), {"--resume", "all"});
  EXPECT_EQ(finished.exit.code, 2);
  EXPECT_THAT(finished.output, HasSubstr("--resume needs the id of a key"));
}

TEST(CompleterProcess, StopsInTheMiddleOfSlowChargesAndHandsTheKeysBack) {
  constexpr std::size_t kKeys = 3;
  TestDatabase database;
  Ledger ledger;
  for (std::size_t i = 0; i < kKeys; ++i) abandon(database);
  Environment environment = eager(database);
  environment["MOCK_LEDGER"] = ledger.path();
  environment["MOCK_LATENCY_MS"] = "60000";
  {
    const ChildProcess completer("completer", environment);
    ASSERT_TRUE(eventually([&] { return ledger.calls().size() == kKeys; })) << completer.output();
    completer.kill(SIGTERM);
    const auto exit = completer.wait_for_exit(std::chrono::seconds(10));
    ASSERT_TRUE(exit.has_value()) << completer.output();
    EXPECT_EQ(exit->code, 0) << completer.output();
  }
  EXPECT_EQ(database.count("idempotency_keys", "lease IS NULL AND recovery_point = 'ride_created'"), 3);

  environment["MOCK_LATENCY_MS"] = "0";
  const ChildProcess next("completer", environment);
  EXPECT_TRUE(eventually([&] { return database.count("idempotency_keys", "response_code = 201") == 3; }))
      << next.output();
  EXPECT_EQ(ledger.charges().size(), kKeys);
  for (const auto& [ride, charges] : ledger.charges()) EXPECT_EQ(charges.size(), 1U) << "ride " << ride;
}

}  // namespace
}  // namespace rocket::spec
