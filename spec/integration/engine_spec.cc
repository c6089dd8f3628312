#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/process/block_on.h"
#include "spec/integration/engine_fixture.h"
#include "spec/support/gate.h"

// What the engine does with a request, and what it stores of the answer.
namespace rocket::spec {
namespace {

TEST_F(EngineSpec, TakesANewRequestToItsEnd) {
  const auto outcome = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(outcome), "201");
  expect_one_of_everything();
  EXPECT_EQ(database_.of_key(key_, "response_body"), body_of(outcome));
  ASSERT_EQ(rig_.gateway().calls().size(), 1U);
  const auto call = rig_.gateway().calls()[0];
  EXPECT_EQ(call.customer_id, "cus_user");
  EXPECT_EQ(call.amount_cents, 2000);
  EXPECT_EQ(call.currency, "usd");
  EXPECT_EQ(call.ride_id, database_.value("SELECT id FROM rides"));
}

TEST_F(EngineSpec, KnowsNoStranger) {
  EXPECT_EQ(describe(rig_.run(engine_ride(key_, "stranger@example.com"))), "unknown_owner");
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(EngineSpec, TheProvidersKeyIsStoredBeforeTheCall) {
  std::string stored;
  rig_.gateway().on_charge([&](const payments::ChargeRequest& request) {
    // Another session sees only what is committed.
    stored = database_.open_session().value("SELECT charge_key FROM rides WHERE id = $1", {request.ride_id});
  });
  EXPECT_EQ(run(key_), "201");
  EXPECT_TRUE(is_uuid(stored)) << stored;
  EXPECT_EQ(stored, rig_.gateway().calls()[0].charge_key);
  EXPECT_NE(stored, key_);
}

TEST_F(EngineSpec, StoresADeclinedCard) {
  rig_.gateway().plan(Behaviour::kDeclines);
  const auto outcome = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(outcome), "402");
  EXPECT_EQ(nlohmann::json::parse(body_of(outcome)).at("code"), "card_declined");
  // Operators see what the provider really said, and the client does not.
  EXPECT_EQ(body_of(outcome).find("stolen"), std::string::npos);
  EXPECT_EQ(database_.of_key(key_, "last_error"), "stolen_card: reported stolen");
  const auto again = rig_.run(engine_ride(key_), 1);
  EXPECT_EQ(describe(again), "402 replayed");
  EXPECT_EQ(body_of(again), body_of(outcome));
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
  EXPECT_EQ(database_.count("staged_jobs"), 0);
  EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"), "NULL");
}

TEST_F(EngineSpec, StoresARejectedCharge) {
  rig_.gateway().plan(Behaviour::kRejects);
  const auto outcome = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(outcome), "503");
  EXPECT_EQ(nlohmann::json::parse(body_of(outcome)).at("code"), "payment_rejected");
  // The answer does not contain the provider's text, which may say anything.
  EXPECT_EQ(body_of(outcome).find("account is closed"), std::string::npos);
  EXPECT_NE(database_.of_key(key_, "last_error").find("account is closed"), std::string::npos);
  const auto again = rig_.run(engine_ride(key_), 1);
  EXPECT_EQ(describe(again), "503 replayed");
  EXPECT_EQ(body_of(again), body_of(outcome));
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
}

TEST_F(EngineSpec, AnUnforeseenExceptionReleasesTheKey) {
  rig_.gateway().plan(Behaviour::kThrows);
  EXPECT_EQ(run(key_), "internal");
  EXPECT_EQ(point(), "ride_created");
  expect_released();
  EXPECT_EQ(run(key_), "201");
  expect_one_of_everything();
}

TEST_F(EngineSpec, AStatementThatFailsLeavesNothingOfItsAttempt) {
  database_.execute("ALTER TABLE staged_jobs ADD CONSTRAINT full_house CHECK (false)");
  EXPECT_EQ(run(key_), "internal");
  // The charge was made, but its record was rolled back together with the receipt.
  EXPECT_EQ(point(), "ride_created");
  expect_released();
  EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"), "NULL");
  database_.execute("ALTER TABLE staged_jobs DROP CONSTRAINT full_house");
  EXPECT_EQ(run(key_), "201");
  expect_one_of_everything();
}

TEST_F(EngineSpec, RaiseErrorFailsBeforeTheCharge) {
  auto failing = engine_ride(key_);
  failing.raise_error = true;
  EXPECT_EQ(describe(rig_.run(failing)), "internal");
  EXPECT_TRUE(rig_.gateway().calls().empty());
  expect_released();
  EXPECT_EQ(run(key_), "201");
}

TEST_F(EngineSpec, RefusesAReusedKeyWhateverItsState) {
  auto other = engine_ride(key_);
  other.params = R"({"origin_lat":0,"origin_lon":0,"target_lat":0,"target_lon":0})";
  stop_at_ride_created();
  EXPECT_EQ(describe(rig_.run(other)), "key_reused");
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
  database_.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'x'");
  EXPECT_EQ(describe(rig_.run(other)), "key_reused");
  database_.execute("UPDATE idempotency_keys SET parked_at = NULL");
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(describe(rig_.run(other)), "key_reused");
  EXPECT_EQ(describe(rig_.run(engine_deposit(key_, 5))), "key_reused");
}

TEST_F(EngineSpec, ParametersAreComparedByValue) {
  EXPECT_EQ(run(key_), "201");
  auto same = engine_ride(key_);
  same.params = R"({ "target_lon" : 4, "target_lat" : 3, "origin_lon" : -2.250, "origin_lat" : 1.5 })";
  EXPECT_EQ(describe(rig_.run(same)), "201 replayed");
}

TEST_F(EngineSpec, ReleasesWhatItHolds) {
  Gate gate;
  rig_.gateway().plan(std::vector<ScriptedGateway::Step>{{Behaviour::kCharges, &gate}});
  auto attempt = rig_.start(engine_ride(key_), 0);
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  EXPECT_EQ(process::block_on(rig_.lane(1).executor(), rig_.engine().release_leases(rig_.lane(1))), 1U);
  expect_released();
  EXPECT_EQ(point(), "ride_created");
  // The next attempt does the work. The attempt that released the key writes nothing more.
  EXPECT_EQ(run(key_, 1), "201");
  gate.open();
  EXPECT_EQ(describe(answer_of(attempt)), "201 replayed");
  expect_one_of_everything();
  EXPECT_EQ(process::block_on(rig_.lane(1).executor(), rig_.engine().release_leases(rig_.lane(1))), 0U);
}

TEST_F(EngineSpec, ADepositIsOnePhase) {
  EXPECT_EQ(describe(rig_.run(engine_deposit(key_, 5))), "201");
  EXPECT_EQ(describe(rig_.run(engine_deposit(key_, 5))), "201 replayed");
  EXPECT_EQ(describe(rig_.run(engine_deposit(key_, 6))), "key_reused");
  EXPECT_EQ(database_.value("SELECT balance FROM accounts"), "5");
  EXPECT_EQ(database_.count("deposits"), 1);
  EXPECT_TRUE(rig_.gateway().calls().empty());
}

// Two databases with one account at the provider have the same serial numbers, perhaps the same client keys.
TEST(ProvidersKeys, AreUniqueAcrossDatabases) {
  const std::string key = new_key();
  std::set<std::string> keys;
  for (int i = 0; i < 2; ++i) {
    TestDatabase database;
    EngineRig rig(database);
    ASSERT_EQ(describe(rig.run(engine_ride(key))), "201");
    ASSERT_EQ(database.value("SELECT id FROM rides"), "1");
    ASSERT_EQ(describe(rig.run(engine_cancellation(new_key(), "1"))), "200");
    ASSERT_EQ(rig.gateway().calls().size(), 1U);
    ASSERT_EQ(rig.gateway().refund_calls().size(), 1U);
    keys.insert(rig.gateway().calls()[0].charge_key);
    keys.insert(rig.gateway().refund_calls()[0].refund_key);
  }
  EXPECT_EQ(keys.size(), 4U) << testing::PrintToString(keys);
}

}  // namespace
}  // namespace rocket::spec
