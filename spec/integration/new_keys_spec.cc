#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "rocket/process/block_on.h"
#include "spec/integration/engine_fixture.h"

// Whether an attempt made its key, and whether a key is known without an attempt. Limits count by that.
namespace rocket::spec {
namespace {

bool made_key(const idempotency::Outcome& outcome) {
  return std::visit([](const auto& each) { return each.made_key; }, outcome);
}

class NewKeys : public EngineSpec {
 protected:
  idempotency::Known look_up(const std::string& key) {
    return process::block_on(rig_.lane().executor(),
                             rig_.engine().look_up(rig_.lane(), rig_.flow("/rides"), engine_ride(key)));
  }
};

TEST_F(NewKeys, AreMadeByTheFirstAttemptOnly) {
  EXPECT_TRUE(made_key(rig_.run(engine_ride(key_))));
  EXPECT_FALSE(made_key(rig_.run(engine_ride(key_))));
  const std::string of_deposit = new_key();
  EXPECT_TRUE(made_key(rig_.run(engine_deposit(of_deposit, 5))));
  EXPECT_FALSE(made_key(rig_.run(engine_deposit(of_deposit, 5))));
  EXPECT_FALSE(made_key(rig_.run(engine_deposit(of_deposit, 6))));
}

TEST_F(NewKeys, AreMadeByADeclinedCharge) {
  rig_.gateway().plan(Behaviour::kDeclines);
  EXPECT_TRUE(made_key(rig_.run(engine_ride(key_))));
}

TEST_F(NewKeys, AreLeftUnfinishedOnce) {
  rig_.gateway().plan(Behaviour::kIsAway, 2);
  const auto first = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(first), "foreign_unavailable");
  EXPECT_TRUE(made_key(first));
  const auto second = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(second), "foreign_unavailable");
  EXPECT_FALSE(made_key(second));
  EXPECT_FALSE(made_key(rig_.run(engine_ride(key_))));
}

TEST_F(NewKeys, AreMadeByAnAttemptThatFails) {
  rig_.gateway().plan(Behaviour::kThrows);
  const auto outcome = rig_.run(engine_ride(key_));
  EXPECT_EQ(describe(outcome), "internal");
  EXPECT_TRUE(made_key(outcome));
}

// The key is deleted with its refusal.
TEST_F(NewKeys, AreNotMadeByARefusedRequest) {
  EXPECT_FALSE(made_key(rig_.run(engine_cancellation(key_, "1"))));
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(NewKeys, AreNotMadeByStrangers) {
  EXPECT_FALSE(made_key(rig_.run(engine_ride(key_, "stranger@example.com"))));
}

TEST_F(NewKeys, ALookUpTellsWhetherThereIsOne) {
  EXPECT_FALSE(look_up(key_).outcome);
  EXPECT_FALSE(look_up(key_).is_stored);
  stop_at_ride_created();
  EXPECT_FALSE(look_up(key_).outcome);
  EXPECT_TRUE(look_up(key_).is_stored);
  EXPECT_EQ(run(key_), "201");
  ASSERT_TRUE(look_up(key_).outcome);
  EXPECT_EQ(describe(*look_up(key_).outcome), "201 replayed");
}

}  // namespace
}  // namespace rocket::spec
