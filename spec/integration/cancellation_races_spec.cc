#include <gtest/gtest.h>

#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"

// Cancellations of one ride that run at the same time, or of which one finishes what another has begun. The
// provider of these specs refunds once for each refund key.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using Steps = std::vector<ScriptedGateway::Step>;

class CancellationRaces : public testing::Test {
 protected:
  CancellationRaces() {
    const auto ridden = rig_.run(engine_ride(new_key()));
    ride_id_ = nlohmann::json::parse(body_of(ridden)).at("ride").at("id").dump();
  }

  std::future<idempotency::Outcome> start(const std::string& key, std::size_t lane) {
    return rig_.start(engine_cancellation(key, ride_id_), lane);
  }
  idempotency::Outcome run(const std::string& key, std::size_t lane = 0) {
    return rig_.run(engine_cancellation(key, ride_id_), lane);
  }
  void expect_one_refund() {
    EXPECT_EQ(rig_.gateway().refunds().size(), 1U);
    EXPECT_EQ(database_.count("refunds", "stripe_refund_id IS NOT NULL"), 1);
    EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 1);
    EXPECT_EQ(database_.count("audit_records", "action = 'cancelled'"), 1);
  }

  TestDatabase database_;
  EngineRig rig_{database_, RigOptions{.lanes = 4, .batch_limit = 64, .rides = {}, .engine = {}}};
  std::string ride_id_;
  const std::string key_ = new_key();
};

TEST_F(CancellationRaces, ManyKeysAreOneRefund) {
  std::vector<std::future<idempotency::Outcome>> attempts;
  for (std::size_t i = 0; i < 32; ++i) attempts.push_back(start(new_key(), i));
  std::string body;
  for (auto& attempt : attempts) {
    const auto outcome = answer_of(attempt);
    EXPECT_EQ(describe(outcome), "200");
    if (body.empty()) body = body_of(outcome);
    EXPECT_EQ(body_of(outcome), body);
  }
  expect_one_refund();
}

TEST_F(CancellationRaces, OneKeyIsOneCall) {
  std::vector<std::future<idempotency::Outcome>> attempts;
  for (std::size_t i = 0; i < 32; ++i) attempts.push_back(start(key_, i));
  for (auto& attempt : attempts) {
    const std::string word = describe(answer_of(attempt));
    EXPECT_TRUE(word == "200" || word == "200 replayed" || word == "in_progress") << word;
  }
  EXPECT_EQ(rig_.gateway().refund_calls().size(), 1U);
  expect_one_refund();
}

// A client that sends no key and gets no answer asks again. It need not wait for its first request to end.
TEST_F(CancellationRaces, AnotherKeyGoesOnWithTheRefundUnderWay) {
  Gate gate;
  rig_.gateway().plan(Steps{{Behaviour::kCharges, &gate}});
  auto first = start(key_, 0);
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  const auto second = run(new_key(), 1);
  EXPECT_EQ(describe(second), "200");
  gate.open();
  const auto late = answer_of(first);
  EXPECT_EQ(describe(late), "200");
  EXPECT_EQ(body_of(late), body_of(second));
  const auto calls = rig_.gateway().refund_calls();
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_EQ(calls[0].refund_key, calls[1].refund_key);
  expect_one_refund();
}

TEST_F(CancellationRaces, WhoStallsBeyondItsLeaseChangesNothing) {
  Gate gate;
  rig_.gateway().plan(Steps{{Behaviour::kRejects, &gate}});
  auto stalled = start(key_, 0);
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  database_.pass_lease(key_);
  const auto second = run(key_, 1);
  EXPECT_EQ(describe(second), "200");
  gate.open();
  const auto late = answer_of(stalled);
  EXPECT_EQ(describe(late), "200 replayed") << "what it heard meanwhile is of no use";
  EXPECT_EQ(body_of(late), body_of(second));
  expect_one_refund();
}

// When the first request goes on, it finds that another one has made the refund.
TEST_F(CancellationRaces, WhatAnotherKeyHasDoneIsNotAskedForAgain) {
  rig_.gateway().plan(Behaviour::kIsAway);
  EXPECT_EQ(describe(run(key_)), "foreign_unavailable");
  const auto other = run(new_key());
  EXPECT_EQ(describe(other), "200");
  const auto first = run(key_);
  EXPECT_EQ(describe(first), "200");
  EXPECT_EQ(body_of(first), body_of(other));
  EXPECT_EQ(rig_.gateway().refund_calls().size(), 2U);
  expect_one_refund();
}

TEST_F(CancellationRaces, ARefundTooOldToRepeatOrLookUpWaitsForAPerson) {
  rig_.gateway().plan(Behaviour::kLosesAnswer);
  EXPECT_EQ(describe(run(key_)), "foreign_unavailable");
  rig_.gateway().forget_everything();
  database_.execute("UPDATE refunds SET created_at = now() - interval '21 hours'");
  EXPECT_EQ(describe(run(key_)), "parked");
  EXPECT_EQ(describe(run(new_key())), "parked") << "another key is no way around it";
  EXPECT_EQ(rig_.gateway().refund_calls().size(), 1U);

  // A person who resumes a parked key has looked at the provider first.
  database_.execute(
      "UPDATE idempotency_keys SET parked_at = NULL, resumed_at = now() WHERE idempotency_key = $1", {key_});
  EXPECT_EQ(describe(run(key_)), "200");
  expect_one_refund();
}

// Refusals leave nothing to finish: the key is as free as before.
TEST_F(CancellationRaces, ManyThatAreRefusedLeaveNothing) {
  rig_.gateway().plan(Behaviour::kIsAway);
  rig_.run(engine_ride(new_key()));
  const std::string unfinished = database_.value("SELECT max(id) FROM rides");
  const std::int64_t keys = database_.count("idempotency_keys");
  std::vector<std::future<idempotency::Outcome>> attempts;
  for (std::size_t i = 0; i < 16; ++i) {
    attempts.push_back(rig_.start(engine_cancellation(key_, unfinished), i));
  }
  for (auto& attempt : attempts) {
    const std::string word = describe(answer_of(attempt));
    EXPECT_TRUE(word == "409" || word == "in_progress") << word;
  }
  EXPECT_EQ(database_.count("idempotency_keys"), keys);
  EXPECT_EQ(database_.count("refunds"), 0);
  EXPECT_EQ(rig_.gateway().refund_calls().size(), 0U);
}

}  // namespace
}  // namespace rocket::spec
