#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/ids.h"
#include "process/block_on.h"
#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"

// How a request goes on after an attempt that did not finish it.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;

class EngineSpec : public testing::Test {
 protected:
  std::string run(const std::string& key, std::size_t lane = 0) {
    return describe(rig_.run(engine_ride(key), lane));
  }

  // An unfinished key at `started`, as left by a process that died before its first phase.
  void insert_started_key() {
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params)"
        " SELECT gen_random_uuid(), id, $1, 'POST', '/rides', $2::jsonb FROM users WHERE email = $3",
        {key_, engine_ride(key_).params, kUser});
  }
  // The same key one phase later: a ride exists, but the provider was away.
  void stop_at_ride_created() {
    rig_.gateway().plan(Behaviour::kIsAway);
    ASSERT_EQ(run(key_), "foreign_unavailable");
    ASSERT_EQ(point(), "ride_created");
  }
  // The same key another phase later: the charge is recorded.
  void stop_at_charge_created() {
    rig_.gateway().plan(Behaviour::kLosesAnswer);
    ASSERT_EQ(run(key_), "foreign_unavailable");
    ASSERT_EQ(rig_.gateway().charges().size(), 1U);
    database_.execute("UPDATE rides SET stripe_charge_id = $1", {rig_.gateway().charges().begin()->second});
    database_.execute("UPDATE idempotency_keys SET recovery_point = 'charge_created'");
  }
  std::string point() { return database_.of_key(key_, "recovery_point"); }

  void expect_released() {
    EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
    EXPECT_EQ(database_.of_key(key_, "locked_at"), "NULL");
    EXPECT_EQ(database_.of_key(key_, "response_code"), "NULL");
    EXPECT_EQ(database_.of_key(key_, "finished_at"), "NULL");
  }
  void expect_one_of_everything() {
    EXPECT_EQ(database_.count("idempotency_keys", "recovery_point = 'finished'"), 1);
    EXPECT_EQ(database_.count("rides"), 1);
    EXPECT_EQ(database_.count("staged_jobs"), 1);
    EXPECT_EQ(database_.count("audit_records"), 1);
    ASSERT_EQ(rig_.gateway().charges().size(), 1U);
    EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"),
              rig_.gateway().charges().begin()->second);
  }
  // Does what a completer does: takes the lease, and resumes.
  idempotency::Outcome resume() {
    const std::string token = random_uuid();
    database_.execute("UPDATE idempotency_keys SET lease = $1::uuid, locked_at = now()", {token});
    idempotency::Lease lease{kUser, key_, database_.of_key(key_, "id"), token};
    return process::block_on(rig_.lane().executor(),
                             rig_.engine().resume(rig_.lane(), rig_.flow("/rides"), lease, point()));
  }

  TestDatabase database_;
  EngineRig rig_{database_};
  const std::string key_ = new_key();
};

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
  EXPECT_EQ(describe(rig_.run(engine_ride(key_, "stranger@example.com"))), "unknown_user");
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(EngineSpec, ResumesAtStarted) {
  insert_started_key();
  EXPECT_EQ(run(key_), "201");
  expect_one_of_everything();
  EXPECT_EQ(database_.of_key(key_, "attempts"), "2");
}

TEST_F(EngineSpec, ResumesAtRideCreated) {
  stop_at_ride_created();
  EXPECT_EQ(run(key_, 1), "201");
  expect_one_of_everything();
}

TEST_F(EngineSpec, ResumesAtChargeCreatedWithoutChargingAgain) {
  stop_at_charge_created();
  EXPECT_EQ(run(key_, 1), "201");
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
  expect_one_of_everything();
}

TEST_F(EngineSpec, ACompleterResumesAtStarted) {
  insert_started_key();
  EXPECT_EQ(describe(resume()), "201");
  expect_one_of_everything();
}

TEST_F(EngineSpec, ACompleterResumesAtRideCreated) {
  stop_at_ride_created();
  EXPECT_EQ(describe(resume()), "201");
  expect_one_of_everything();
}

TEST_F(EngineSpec, ACompleterResumesAtChargeCreated) {
  stop_at_charge_created();
  const auto outcome = resume();
  EXPECT_EQ(describe(outcome), "201");
  expect_one_of_everything();
  // The client that retries gets the same answer.
  const auto retry = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(retry), "201 replayed");
  EXPECT_EQ(body_of(retry), body_of(outcome));
}

TEST_F(EngineSpec, ResumingWithALostLeaseChangesNothing) {
  stop_at_ride_created();
  idempotency::Lease lost{kUser, key_, database_.of_key(key_, "id"), random_uuid()};
  const auto outcome = process::block_on(
      rig_.lane().executor(), rig_.engine().resume(rig_.lane(), rig_.flow("/rides"), lost, "ride_created"));
  EXPECT_EQ(describe(outcome), "in_progress");
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
  EXPECT_EQ(point(), "ride_created");
}

TEST_F(EngineSpec, ResumesAfterProviderOutage) {
  rig_.gateway().plan(Behaviour::kIsAway, 3);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_EQ(run(key_), "foreign_unavailable");
    EXPECT_EQ(point(), "ride_created");
    expect_released();
    EXPECT_EQ(database_.of_key(key_, "attempts"), std::to_string(attempt));
  }
  EXPECT_EQ(run(key_), "201");
  expect_one_of_everything();
  const auto calls = rig_.gateway().calls();
  ASSERT_EQ(calls.size(), 4U);
  for (const auto& call : calls) {
    EXPECT_EQ(call.charge_key, calls[0].charge_key);
    EXPECT_EQ(call.ride_id, calls[0].ride_id);
  }
}

TEST_F(EngineSpec, AnAnswerThatWasLostIsOneCharge) {
  rig_.gateway().plan(Behaviour::kLosesAnswer, 2);
  EXPECT_EQ(run(key_), "foreign_unavailable");
  expect_released();
  EXPECT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(rig_.gateway().calls().size(), 3U);
  expect_one_of_everything();
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

TEST_F(EngineSpec, LooksAnOldChargeUpInsteadOfRepeatingIt) {
  rig_.gateway().plan(Behaviour::kLosesAnswer);
  EXPECT_EQ(run(key_), "foreign_unavailable");
  database_.execute("UPDATE rides SET created_at = now() - interval '20 hours 1 minute'");
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(rig_.gateway().lookups(), 1U);
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
  expect_one_of_everything();
}

TEST_F(EngineSpec, ChargesWhatIsOldAndWasNeverCharged) {
  stop_at_ride_created();
  database_.execute("UPDATE rides SET created_at = now() - interval '20 hours 1 minute'");
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(rig_.gateway().lookups(), 1U);
  EXPECT_EQ(rig_.gateway().calls().size(), 2U);
  expect_one_of_everything();
}

TEST_F(EngineSpec, RepeatsAYoungChargeWithoutLookingItUp) {
  stop_at_ride_created();
  database_.execute("UPDATE rides SET created_at = now() - interval '19 hours 59 minutes'");
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(rig_.gateway().lookups(), 0U);
}

TEST_F(EngineSpec, ParksAnOldChargeThatCannotBeLookedUp) {
  rig_.gateway().plan(Behaviour::kLosesAnswer);
  EXPECT_EQ(run(key_), "foreign_unavailable");
  rig_.gateway().forget_everything();
  database_.execute("UPDATE rides SET created_at = now() - interval '21 hours'");
  EXPECT_EQ(run(key_), "parked");
  EXPECT_NE(database_.of_key(key_, "parked_at"), "NULL");
  EXPECT_NE(database_.of_key(key_, "last_error"), "NULL");
  EXPECT_EQ(point(), "ride_created");
  expect_released();
  // The key stays parked.
  const std::string parked_at = database_.of_key(key_, "parked_at");
  EXPECT_EQ(run(key_), "parked");
  EXPECT_EQ(database_.of_key(key_, "parked_at"), parked_at);
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
  EXPECT_EQ(rig_.gateway().lookups(), 1U);
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
