#include <gtest/gtest.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/use_future.hpp>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/pg/errors.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// How attempts that run at the same time affect each other.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using Attempts = std::vector<std::future<idempotency::Outcome>>;
using Tally = std::map<std::string, int>;

class ConcurrencySpec : public testing::Test {
 protected:
  Tally tally(Attempts& attempts) {
    Tally outcomes;
    for (auto& attempt : attempts) ++outcomes[describe(answer_of(attempt))];
    return outcomes;
  }
  void expect_one_of_everything(const std::string& key) {
    EXPECT_EQ(database_.of_key(key, "recovery_point"), "finished");
    EXPECT_EQ(database_.count("rides"), 1);
    EXPECT_EQ(database_.count("staged_jobs"), 1);
    EXPECT_EQ(database_.count("audit_records"), 1);
    EXPECT_EQ(rig_.gateway().charges().size(), 1U);
  }

  TestDatabase database_;
  EngineRig rig_{database_, RigOptions{.lanes = 4, .batch_limit = 64, .rides = {}, .engine = {}}};
  const std::string key_ = new_key();
};

TEST_F(ConcurrencySpec, ManyDuplicatesAreOneRide) {
  Attempts attempts;
  for (std::size_t i = 0; i < 32; ++i) attempts.push_back(rig_.start(engine_ride(key_), i));
  std::string body;
  int answers = 0;
  for (auto& attempt : attempts) {
    const auto outcome = answer_of(attempt);
    const std::string word = describe(outcome);
    EXPECT_TRUE(word == "201" || word == "201 replayed" || word == "in_progress") << word;
    if (word == "in_progress") continue;
    if (body.empty()) body = body_of(outcome);
    EXPECT_EQ(body_of(outcome), body);
    if (word == "201") ++answers;
  }
  EXPECT_EQ(answers, 1);
  expect_one_of_everything(key_);
  EXPECT_EQ(rig_.gateway().calls().size(), 1U);
  Attempts later;
  for (std::size_t i = 0; i < 32; ++i) later.push_back(rig_.start(engine_ride(key_), i));
  for (auto& attempt : later) {
    const auto outcome = answer_of(attempt);
    EXPECT_EQ(describe(outcome), "201 replayed");
    EXPECT_EQ(body_of(outcome), body);
  }
}

TEST_F(ConcurrencySpec, DuplicatesOfARunningRequestAreInProgress) {
  Gate gate;
  rig_.gateway().plan(std::vector<ScriptedGateway::Step>{{Behaviour::kCharges, &gate}});
  auto first = rig_.start(engine_ride(key_), 0);
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  Attempts duplicates;
  for (std::size_t i = 0; i < 32; ++i) duplicates.push_back(rig_.start(engine_ride(key_), i));
  EXPECT_EQ(tally(duplicates), (Tally{{"in_progress", 32}}));
  gate.open();
  EXPECT_EQ(describe(answer_of(first)), "201");
  expect_one_of_everything(key_);
}

TEST_F(ConcurrencySpec, ManyDuplicatesOfADepositAreOneDeposit) {
  Attempts attempts;
  for (std::size_t i = 0; i < 32; ++i) attempts.push_back(rig_.start(engine_deposit(key_, 5), i));
  const Tally outcomes = tally(attempts);
  EXPECT_EQ(outcomes.at("201"), 1);
  EXPECT_EQ(database_.value("SELECT balance FROM accounts"), "5");
  EXPECT_EQ(database_.count("deposits"), 1);
}

TEST_F(ConcurrencySpec, DistinctKeysNeverMakeEachOtherFail) {
  Attempts attempts;
  for (std::size_t i = 0; i < 32; ++i) attempts.push_back(rig_.start(engine_ride(new_key()), i));
  for (std::size_t i = 0; i < 32; ++i) attempts.push_back(rig_.start(engine_deposit(new_key(), 3), i));
  EXPECT_EQ(tally(attempts), (Tally{{"201", 64}}));
  EXPECT_EQ(database_.count("rides"), 32);
  EXPECT_EQ(rig_.gateway().charges().size(), 32U);
  EXPECT_EQ(database_.value("SELECT balance FROM accounts"), "96");
}

TEST_F(ConcurrencySpec, ARequestThatWaitsDelaysNoOther) {
  Gate gate;
  rig_.gateway().plan(std::vector<ScriptedGateway::Step>{{Behaviour::kCharges, &gate}});
  auto waiting = rig_.start(engine_ride(key_), 0);
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  // These requests use the same lane.
  EXPECT_EQ(describe(rig_.run(engine_ride(new_key()), 0)), "201");
  EXPECT_EQ(describe(rig_.run(engine_deposit(new_key(), 1), 0)), "201");
  gate.open();
  EXPECT_EQ(describe(answer_of(waiting)), "201");
}

TEST_F(ConcurrencySpec, NoTransactionIsOpenDuringTheForeignCall) {
  constexpr const char* kOpen =
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
      " AND backend_type = 'client backend' AND (xact_start IS NOT NULL OR state <> 'idle')";
  Gate gate;
  rig_.gateway().plan(std::vector<ScriptedGateway::Step>(8, {Behaviour::kCharges, &gate}));
  Attempts attempts;
  for (std::size_t i = 0; i < 8; ++i) attempts.push_back(rig_.start(engine_ride(new_key()), i));
  ASSERT_TRUE(gate.wait_for_arrivals(8));
  EXPECT_EQ(database_.number(kOpen), 0);
  {
    // Checks that the query finds an open transaction.
    SqlSession control = database_.open_session();
    control.execute("BEGIN");
    EXPECT_EQ(database_.number(kOpen), 1);
  }
  gate.open();
  EXPECT_EQ(tally(attempts), (Tally{{"201", 8}}));
}

class FencingSpec : public ConcurrencySpec {
 protected:
  // Starts two attempts. The first stalls in its call beyond its lease. The second has taken over and is in
  // its own call.
  void stall_first(Behaviour behaviour) {
    rig_.gateway().plan(
        std::vector<ScriptedGateway::Step>{{behaviour, &first_gate_}, {Behaviour::kCharges, &second_gate_}});
    first_ = rig_.start(engine_ride(key_), 0);
    ASSERT_TRUE(first_gate_.wait_for_arrivals(1));
    database_.pass_lease(key_);
    second_ = rig_.start(engine_ride(key_), 1);
    ASSERT_TRUE(second_gate_.wait_for_arrivals(1));
    lease_of_second_ = database_.of_key(key_, "lease");
  }
  void expect_second_still_holds_the_key() {
    EXPECT_EQ(database_.of_key(key_, "lease"), lease_of_second_);
    EXPECT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");
    EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"), "NULL");
    EXPECT_EQ(database_.count("staged_jobs"), 0);
    EXPECT_EQ(describe(rig_.run(engine_ride(key_), 2)), "in_progress");
  }

  Gate first_gate_;
  Gate second_gate_;
  std::future<idempotency::Outcome> first_;
  std::future<idempotency::Outcome> second_;
  std::string lease_of_second_;
};

TEST_F(FencingSpec, AFreshLeaseIsNotTakenOver) {
  rig_.gateway().plan(std::vector<ScriptedGateway::Step>{{Behaviour::kCharges, &first_gate_}});
  first_ = rig_.start(engine_ride(key_), 0);
  ASSERT_TRUE(first_gate_.wait_for_arrivals(1));
  database_.execute("UPDATE idempotency_keys SET locked_at = now() - interval '80 s'");
  EXPECT_EQ(describe(rig_.run(engine_ride(key_), 1)), "in_progress");
  first_gate_.open();
  EXPECT_EQ(describe(answer_of(first_)), "201");
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

TEST_F(FencingSpec, AStaleLeaseIsTakenOver) {
  stall_first(Behaviour::kCharges);
  second_gate_.open();
  const auto winner = answer_of(second_);
  EXPECT_EQ(describe(winner), "201");
  expect_one_of_everything(key_);
  EXPECT_EQ(database_.of_key(key_, "attempts"), "2");
  // The stalled holder wakes up. It writes nothing, and gives its client the stored answer.
  const std::string before = database_.value("SELECT md5(string_agg(k::text, '')) FROM idempotency_keys k");
  first_gate_.open();
  const auto loser = answer_of(first_);
  EXPECT_EQ(describe(loser), "201 replayed");
  EXPECT_EQ(body_of(loser), body_of(winner));
  expect_one_of_everything(key_);
  EXPECT_EQ(database_.value("SELECT md5(string_agg(k::text, '')) FROM idempotency_keys k"), before);
}

TEST_F(FencingSpec, AStalledHolderCannotRecordItsCharge) {
  stall_first(Behaviour::kCharges);
  first_gate_.open();
  EXPECT_EQ(describe(answer_of(first_)), "in_progress");
  expect_second_still_holds_the_key();
  second_gate_.open();
  EXPECT_EQ(describe(answer_of(second_)), "201");
  expect_one_of_everything(key_);
}

TEST_F(FencingSpec, AStalledHolderCannotStoreADecline) {
  stall_first(Behaviour::kDeclines);
  first_gate_.open();
  EXPECT_EQ(describe(answer_of(first_)), "in_progress");
  expect_second_still_holds_the_key();
  second_gate_.open();
  EXPECT_EQ(describe(answer_of(second_)), "201");
  expect_one_of_everything(key_);
}

TEST_F(FencingSpec, AStalledHoldersOutageDoesNotReleaseTheWinner) {
  stall_first(Behaviour::kIsAway);
  first_gate_.open();
  answer_of(first_);
  expect_second_still_holds_the_key();
  second_gate_.open();
  EXPECT_EQ(describe(answer_of(second_)), "201");
}

TEST_F(FencingSpec, AStalledHoldersExceptionDoesNotReleaseTheWinner) {
  stall_first(Behaviour::kThrows);
  first_gate_.open();
  EXPECT_EQ(describe(answer_of(first_)), "internal");
  expect_second_still_holds_the_key();
  second_gate_.open();
  EXPECT_EQ(describe(answer_of(second_)), "201");
}

TEST_F(FencingSpec, OfManyThatWantAStaleLeaseOneGetsIt) {
  rig_.gateway().plan(std::vector<ScriptedGateway::Step>{{Behaviour::kCharges, &first_gate_},
                                                         {Behaviour::kCharges, &second_gate_}});
  first_ = rig_.start(engine_ride(key_), 0);
  ASSERT_TRUE(first_gate_.wait_for_arrivals(1));
  database_.pass_lease(key_);
  Attempts attempts;
  for (std::size_t i = 0; i < 16; ++i) attempts.push_back(rig_.start(engine_ride(key_), i));
  ASSERT_TRUE(second_gate_.wait_for_arrivals(1));
  EXPECT_TRUE(eventually([&] {
    return std::count_if(attempts.begin(), attempts.end(), [](auto& attempt) {
             return attempt.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
           }) == 15;
  }));
  second_gate_.open();
  EXPECT_EQ(tally(attempts), (Tally{{"201", 1}, {"in_progress", 15}}));
  first_gate_.open();
  EXPECT_EQ(describe(answer_of(first_)), "201 replayed");
  EXPECT_EQ(rig_.gateway().calls().size(), 2U);
  expect_one_of_everything(key_);
}

// Everything at once: few keys, many attempts, a failing provider, and leases that run out.
TEST(HeavyConcurrency, OneKeyHasOneEffect) {
  TestDatabase database;
  EngineRig rig(database, RigOptions{.lanes = 4, .batch_limit = 64, .rides = {}, .engine = {}});
  constexpr std::size_t kKeys = 40;
  std::vector<std::string> keys(kKeys);
  std::generate(keys.begin(), keys.end(), new_key);
  std::map<std::string, std::string> answers;
  const auto note = [&](const std::string& key, const idempotency::Outcome& outcome) {
    if (!describe(outcome).starts_with("201")) return;
    const auto [known, added] = answers.try_emplace(key, body_of(outcome));
    EXPECT_EQ(body_of(outcome), known->second);
  };
  for (int round = 0; round < 6; ++round) {
    for (const Behaviour behaviour : {Behaviour::kIsAway, Behaviour::kLosesAnswer, Behaviour::kThrows}) {
      rig.gateway().plan(behaviour, 12);
    }
    std::vector<std::pair<std::string, std::future<idempotency::Outcome>>> attempts;
    for (std::size_t i = 0; i < kKeys * 4; ++i) {
      attempts.emplace_back(keys[i % kKeys], rig.start(engine_ride(keys[i % kKeys]), i / 3));
      if (i % 10 != 0) continue;
      // Makes the leases of running attempts look over.
      database.execute(
          "UPDATE idempotency_keys SET locked_at = locked_at - interval '91 s' WHERE id IN"
          " (SELECT id FROM idempotency_keys WHERE lease IS NOT NULL FOR UPDATE SKIP LOCKED)");
    }
    for (auto& [key, attempt] : attempts) note(key, answer_of(attempt));
    EXPECT_EQ(database.count("idempotency_keys", "lease IS NOT NULL"), 0);
  }
  for (const std::string& key : keys) {
    // The planned faults end after some calls.
    for (int i = 0; i < 300 && !answers.contains(key); ++i) note(key, rig.run(engine_ride(key)));
  }
  EXPECT_EQ(answers.size(), kKeys);
  EXPECT_EQ(database.count("idempotency_keys", "recovery_point = 'finished' AND response_code = 201"), kKeys);
  EXPECT_EQ(database.count("rides", "stripe_charge_id IS NOT NULL"), kKeys);
  EXPECT_EQ(database.count("rides"), kKeys);
  EXPECT_EQ(database.count("staged_jobs"), kKeys);
  EXPECT_EQ(database.count("audit_records"), kKeys);
  EXPECT_EQ(rig.gateway().charges().size(), kKeys);
}

}  // namespace
}  // namespace rocket::spec
