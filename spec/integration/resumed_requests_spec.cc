#include <gtest/gtest.h>

#include <string>

#include "rocket/base/ids.h"
#include "rocket/process/block_on.h"
#include "spec/integration/engine_fixture.h"

// How a request goes on after an attempt that did not finish it.
namespace rocket::spec {
namespace {

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

}  // namespace
}  // namespace rocket::spec
