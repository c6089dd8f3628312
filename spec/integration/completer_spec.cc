#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "spec/integration/completer_rig.h"

// What happens to the keys that the completer takes.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using testing::HasSubstr;

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

TEST(Completer, ReleasesTheKeysOfEveryUser) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.plan(Behaviour::kIsAway, 2);
  CompleterRig completer(database, gateway);
  const std::string one = abandon(database, {.recovery_point = "ride_created"});
  const std::string other = abandon(database, {.recovery_point = "ride_created", .user = kDeclinedUser});

  EXPECT_EQ(completer.run_once(), 2);

  EXPECT_EQ(database.of_key(one, "lease"), "NULL");
  EXPECT_EQ(database.of_key(other, "lease"), "NULL");
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

TEST(Completer, ChargesThePriceThatTheRideWasBookedAt) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  abandon(database, {.recovery_point = "ride_created"});
  database.execute("UPDATE rides SET price_cents = 1500");

  EXPECT_EQ(completer.run_once(), 1);

  ASSERT_EQ(gateway.calls().size(), 1U);
  EXPECT_EQ(gateway.calls()[0].amount_cents, 1500);
  EXPECT_EQ(database.value("SELECT job_args->>'amount_cents' FROM staged_jobs"), "1500");
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

}  // namespace
}  // namespace rocket::spec
