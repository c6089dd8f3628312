#include "completer/completer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "endpoints/all.h"
#include "spec/fault/ledger.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using testing::HasSubstr;
using testing::Not;

// A completer in this process, on connections of its own.
class CompleterRig {
 public:
  CompleterRig(const TestDatabase& database, ScriptedGateway& gateway, completer::Patience patience = {},
               std::int64_t batch = 1000, endpoints::RideOptions rides = {})
      : flows_(endpoints::all_flows(gateway, rides)),
        engine_({.lease_time = patience.lease_time}, log_),
        lanes_(2, lane_options(database), log_),
        completer_(lanes_, engine_, flows_, log_, patience, batch) {}

  std::int64_t run_once() { return completer_.run_once(stop_); }

 private:
  static pg::LaneOptions lane_options(const TestDatabase& database) {
    pg::LaneOptions options;
    options.connection.url = database.url();
    return options;
  }

  process::StopSignal stop_;
  Log log_;
  idempotency::Flows flows_;
  idempotency::Engine engine_;
  pg::Lanes lanes_;
  completer::Completer completer_;
};

// What a process leaves behind that died some time ago at a recovery point. By default so long ago that no
// grace and no pause is left, but not so long that a charge could not be repeated.
struct Abandoned {
  std::string recovery_point = "started";
  std::string age = "2 hours";
  std::string path = "/rides";
  std::string params = R"({"origin_lat": 1.5, "origin_lon": 2, "target_lat": 3, "target_lon": 4})";
  std::string user = kUser;
};

std::string abandon(TestDatabase& database, const Abandoned& request = {}) {
  const std::string key = new_key();
  const std::string id = random_uuid();
  database.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "  request_params, origin_ip, recovery_point, created_at, last_run_at)"
      "SELECT $1::uuid, id, $2, 'POST', $3, $4::jsonb, '203.0.113.7', $5, now() - $6::interval, "
      "  now() - $6::interval FROM users WHERE email = $7",
      {id, key, request.path, request.params, request.recovery_point, request.age, request.user});
  if (request.recovery_point != "started") {
    database.execute(
        "INSERT INTO rides (idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon, "
        "  stripe_charge_id, created_at)"
        "SELECT id, user_id, 1.5, 2, 3, 4, CASE recovery_point WHEN 'charge_created' THEN 'ch_earlier' END, "
        "  created_at FROM idempotency_keys WHERE id = $1",
        {id});
  }
  return key;
}

// So much time passes for this key, by the database's clock.
void let_pass(TestDatabase& database, const std::string& key, const std::string& interval) {
  database.execute(
      "UPDATE idempotency_keys SET created_at = created_at - $2::interval, "
      "  last_run_at = last_run_at - $2::interval, locked_at = locked_at - $2::interval "
      "WHERE idempotency_key = $1",
      {key, interval});
}

// Someone holds the key, since so long.
void hold(TestDatabase& database, const std::string& key, const std::string& since) {
  database.execute(
      "UPDATE idempotency_keys SET lease = gen_random_uuid(), locked_at = now() - $2::interval "
      "WHERE idempotency_key = $1",
      {key, since});
}

bool is_finished(TestDatabase& database, const std::string& key) {
  return database.of_key(key, "recovery_point") == "finished";
}

std::string only_id(TestDatabase& database, const std::string& key) { return database.of_key(key, "id"); }

Environment eager(const TestDatabase& database) {
  return {{"DATABASE_URL", database.url()},
          {"COMPLETER_GRACE_S", "0"},
          {"COMPLETER_PAUSE_S", "0"},
          {"COMPLETER_IDLE_MS", "20"}};
}

class CompleterFrom : public testing::TestWithParam<std::string> {};

TEST_P(CompleterFrom, EveryRecoveryPointLeadsToOneRideOneChargeOneReceiptOneAnswer) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.recovery_point = GetParam()});

  EXPECT_EQ(completer.run_once(), 1);

  EXPECT_EQ(database.of_key(key, "recovery_point"), "finished");
  EXPECT_EQ(database.of_key(key, "response_code"), "201");
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
  EXPECT_EQ(database.of_key(key, "completions"), "1");
  EXPECT_EQ(database.count("rides"), 1);
  EXPECT_EQ(database.count("staged_jobs"), 1);
  const bool charged_before = GetParam() == "charge_created";
  EXPECT_EQ(gateway.calls().size(), charged_before ? 0U : 1U);
  const std::string charge_id = database.value("SELECT stripe_charge_id FROM rides");
  EXPECT_THAT(database.of_key(key, "response_body"), HasSubstr(charge_id));
  if (charged_before) {
    EXPECT_EQ(charge_id, "ch_earlier");
  } else {
    EXPECT_EQ(gateway.charges().at(database.value("SELECT charge_key FROM rides")), charge_id);
  }
  EXPECT_EQ(completer.run_once(), 0);
}

INSTANTIATE_TEST_SUITE_P(Rides, CompleterFrom, testing::Values("started", "ride_created", "charge_created"),
                         [](const auto& each) { return each.param; });

TEST(Completer, MakesAnAbandonedDepositOnce) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.path = "/deposits", .params = R"({"amount": 40})"});

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(completer.run_once(), 0);

  EXPECT_EQ(database.of_key(key, "response_code"), "201");
  EXPECT_EQ(database.count("deposits"), 1);
  EXPECT_EQ(database.number("SELECT balance FROM accounts"), 40);
}

TEST(Completer, StoresADeclineAsTheAnswer) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.plan(Behaviour::kDeclines);
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.recovery_point = "ride_created", .user = kDeclinedUser});

  EXPECT_EQ(completer.run_once(), 1);

  EXPECT_EQ(database.of_key(key, "response_code"), "402");
  EXPECT_THAT(database.of_key(key, "response_body"), HasSubstr("card_declined"));
  EXPECT_EQ(database.count("staged_jobs"), 0);
}

TEST(Completer, AuditsTheCallersAddressNotItsOwn) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  abandon(database);
  abandon(database, {.path = "/deposits", .params = R"({"amount": 1})"});

  EXPECT_EQ(completer.run_once(), 2);

  EXPECT_EQ(database.count("audit_records"), 2);
  EXPECT_EQ(database.count("audit_records", "host(origin_ip) = '203.0.113.7'"), 2);
}

TEST(Completer, LeavesAKeyToItsClientUntilTheGraceHasPassed) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.age = "290 s"});

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(Completer, LeavesAKeyThatRanAMomentAgo) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET last_run_at = now() - interval '50 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST(Completer, LeavesALeasedKeyUntilTheLeaseIsStale) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.recovery_point = "ride_created"});
  hold(database, key, "80 s");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_TRUE(gateway.calls().empty());
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(Completer, WaitsTwiceAsLongAfterEachOfItsAttempts) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);
  // A minute, doubled three times: 480 s.
  database.execute("UPDATE idempotency_keys SET completions = 3, last_run_at = now() - interval '470 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST(Completer, WaitsNoLongerThanTheLongestPause) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET completions = 19, last_run_at = now() - interval '3590 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST(Completer, TakesTheOldestFirstAndNoMoreThanABatch) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {}, 2);
  const std::string third = abandon(database, {.age = "3 hours"});
  const std::string fifth = abandon(database, {.age = "1 hour"});
  const std::string first = abandon(database, {.age = "5 hours"});
  const std::string fourth = abandon(database, {.age = "2 hours"});
  const std::string second = abandon(database, {.age = "4 hours"});
  const auto finished = [&] {
    std::set<std::string> keys;
    for (const auto& row :
         database.rows("SELECT idempotency_key FROM idempotency_keys WHERE finished_at IS NOT NULL")) {
      keys.insert(*row[0]);
    }
    return keys;
  };

  EXPECT_EQ(completer.run_once(), 2);
  EXPECT_THAT(finished(), testing::UnorderedElementsAre(first, second));
  EXPECT_EQ(completer.run_once(), 2);
  EXPECT_THAT(finished(), testing::UnorderedElementsAre(first, second, third, fourth));
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, fifth));
  EXPECT_EQ(completer.run_once(), 0);
}

TEST(Completer, SharesTheWorkWithOthersAndNeverAKey) {
  constexpr int kKeys = 150;
  TestDatabase database;
  ScriptedGateway gateway;
  for (int i = 0; i < kKeys; ++i) abandon(database);
  CompleterRig one(database, gateway, {}, 7);
  CompleterRig other(database, gateway, {}, 7);
  std::int64_t by_other = 0;
  std::int64_t by_one = 0;
  const auto work = [](CompleterRig& completer, std::int64_t& total) {
    while (const auto count = completer.run_once()) total += count;
  };

  std::thread beside([&] { work(other, by_other); });
  work(one, by_one);
  beside.join();

  EXPECT_EQ(by_one + by_other, kKeys);
  EXPECT_EQ(database.count("idempotency_keys", "finished_at IS NOT NULL AND completions = 1"), kKeys);
  EXPECT_EQ(gateway.calls().size(), static_cast<std::size_t>(kKeys));
  EXPECT_EQ(database.count("rides"), kKeys);
  EXPECT_EQ(database.count("staged_jobs"), kKeys);
}

TEST(Completer, LeavesAKeyForLaterWhileTheProviderIsAway) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.plan(Behaviour::kIsAway);
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.recovery_point = "ride_created"});

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "recovery_point"), "ride_created");
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
  EXPECT_EQ(database.of_key(key, "response_code"), "NULL");
  EXPECT_EQ(database.of_key(key, "completions"), "1");
  EXPECT_EQ(database.of_key(key, "last_error"), "connection refused");
  EXPECT_EQ(completer.run_once(), 0) << "it should pause first";

  let_pass(database, key, "121 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "response_code"), "201");
}

TEST(Completer, RepeatsAChargeWhoseAnswerWasLostWithTheSameKey) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.plan(Behaviour::kLosesAnswer);
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_FALSE(is_finished(database, key));
  let_pass(database, key, "121 s");
  EXPECT_EQ(completer.run_once(), 1);

  EXPECT_TRUE(is_finished(database, key));
  EXPECT_EQ(gateway.calls().size(), 2U);
  EXPECT_EQ(gateway.charges().size(), 1U);
}

TEST(Completer, ParksAKeyAfterTooManyOfItsAttemptsWithTheLastError) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.plan(Behaviour::kIsAway, 10);
  CompleterRig completer(database, gateway, {.most_completions = 2});
  const std::string key = abandon(database, {.recovery_point = "ride_created"});

  EXPECT_EQ(completer.run_once(), 1);
  let_pass(database, key, "1 hour");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "parked_at"), "NULL");
  let_pass(database, key, "1 hour");
  EXPECT_EQ(completer.run_once(), 0);

  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database.of_key(key, "last_error"), "too many attempts; the last one: connection refused");
  EXPECT_EQ(database.of_key(key, "recovery_point"), "ride_created");
  let_pass(database, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(gateway.calls().size(), 2U);
}

TEST(Completer, DoesNotCountTheAttemptsOfClients) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {.most_completions = 2});
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET attempts = 500");

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(Completer, DoesNotParkAKeyThatSomeoneHolds) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {.most_completions = 2});
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET completions = 2");
  hold(database, key, "80 s");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(database.of_key(key, "parked_at"), "NULL");
  let_pass(database, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
}

TEST(Completer, ParksARequestToAnUnknownEndpoint) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.path = "/rockets"});
  const std::string known = abandon(database);

  EXPECT_EQ(completer.run_once(), 2);

  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
  EXPECT_THAT(database.of_key(key, "last_error"), HasSubstr("POST /rockets"));
  EXPECT_TRUE(is_finished(database, known));
}

TEST(Completer, LeavesARequestThatItCannotGoOnWithUntilItsPatienceIsSpent) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {.most_completions = 1});
  // As by a newer version of the program.
  const std::string key = abandon(database, {.recovery_point = "pilot_assigned"});

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
  EXPECT_THAT(database.of_key(key, "last_error"), HasSubstr("pilot_assigned"));
  let_pass(database, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
}

TEST(Completer, ParksAChargeThatIsTooOldToRepeatAndCannotBeLookedUp) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.forget_everything();
  CompleterRig completer(database, gateway);
  const std::string young = abandon(database, {.recovery_point = "ride_created", .age = "19 hours"});
  const std::string old = abandon(database, {.recovery_point = "ride_created", .age = "21 hours"});

  EXPECT_EQ(completer.run_once(), 2);

  EXPECT_TRUE(is_finished(database, young));
  EXPECT_NE(database.of_key(old, "parked_at"), "NULL");
  EXPECT_THAT(database.of_key(old, "last_error"), HasSubstr("too old to repeat"));
  EXPECT_EQ(gateway.calls().size(), 1U);
}

TEST(Completer, TakesAnOldChargeThatTheProviderStillFinds) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  gateway.plan(Behaviour::kLosesAnswer);
  const std::string key = abandon(database, {.recovery_point = "ride_created", .age = "19 hours"});
  EXPECT_EQ(completer.run_once(), 1);
  database.execute("UPDATE rides SET created_at = now() - interval '30 hours'");
  let_pass(database, key, "11 hours");

  EXPECT_EQ(completer.run_once(), 1);

  EXPECT_EQ(gateway.lookups(), 1U);
  EXPECT_EQ(gateway.calls().size(), 1U) << "it must not be sent again";
  EXPECT_EQ(database.value("SELECT stripe_charge_id FROM rides"), gateway.charges().begin()->second);
  EXPECT_EQ(database.of_key(key, "response_code"), "201");
}

TEST(Completer, MakesAnOldChargeThatTheProviderNeverSaw) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.recovery_point = "ride_created", .age = "30 hours"});

  EXPECT_EQ(completer.run_once(), 1);

  EXPECT_EQ(gateway.lookups(), 1U);
  EXPECT_EQ(gateway.calls().size(), 1U);
  EXPECT_TRUE(is_finished(database, key));
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
