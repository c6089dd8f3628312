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

#include "base/ids.h"
#include "pg/errors.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// What attempts that run at the same time do to each other.
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
  // On the same lane.
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
    // The question can be answered with yes.
    SqlSession control = database_.open_session();
    control.execute("BEGIN");
    EXPECT_EQ(database_.number(kOpen), 1);
  }
  gate.open();
  EXPECT_EQ(tally(attempts), (Tally{{"201", 8}}));
}

class FencingSpec : public ConcurrencySpec {
 protected:
  // Two attempts: the first stalls in its call past its lease, the second has taken over and is in its own
  // call.
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
  // The stalled holder wakes up: it writes nothing, and has the stored answer for its client.
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

// Everything at once: few keys, many attempts, a provider in trouble, leases that run out.
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
      // Whoever works on them now seems to have stalled.
      database.execute(
          "UPDATE idempotency_keys SET locked_at = locked_at - interval '91 s' WHERE id IN"
          " (SELECT id FROM idempotency_keys WHERE lease IS NOT NULL FOR UPDATE SKIP LOCKED)");
    }
    for (auto& [key, attempt] : attempts) note(key, answer_of(attempt));
    EXPECT_EQ(database.count("idempotency_keys", "lease IS NOT NULL"), 0);
  }
  for (const std::string& key : keys) {
    // The provider's troubles come to an end.
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

// Keeps a lane from doing anything while this lives: what comes meanwhile travels together.
class Pause {
 public:
  explicit Pause(pg::Lane& lane) {
    asio::post(lane.executor(), [ended = end_.get_future().share()] { ended.wait(); });
  }
  ~Pause() { end_.set_value(); }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;

 private:
  std::promise<void> end_;
};

class BatchSpec : public testing::Test {
 protected:
  static constexpr pg::Statement kInsert{
      "spec_insert", "INSERT INTO probe VALUES ($1) RETURNING pg_current_xact_id()::text AS transaction"};
  static constexpr pg::Statement kFail{"spec_fail", "INSERT INTO probe VALUES ($1::int / 0)"};

  BatchSpec() { database_.execute("CREATE TABLE probe (value int UNIQUE)"); }

  static pg::Unit unit(const pg::Statement& statement, int value, bool alone = false) {
    pg::Unit made{std::to_string(value), {}, alone};
    made.queries.emplace_back(statement, pg::Params{std::to_string(value)});
    return made;
  }

  // The transaction of each unit, or the name of the statement and the state with which it failed.
  std::vector<std::string> commit(EngineRig& rig, std::vector<pg::Unit> units) {
    std::vector<std::future<std::vector<pg::Result>>> futures;
    {
      const Pause pause(rig.lane());
      for (auto& each : units) {
        futures.push_back(
            asio::co_spawn(rig.lane().executor(), rig.lane().commit(std::move(each)), asio::use_future));
      }
    }
    std::vector<std::string> words;
    for (auto& future : futures) {
      try {
        words.emplace_back(future.get().at(0).text(0, "transaction"));
      } catch (const pg::StatementFailed& failed) {
        words.push_back(failed.query() + " " + failed.sqlstate());
      }
    }
    return words;
  }

  std::vector<pg::Unit> five_units() {
    std::vector<pg::Unit> units;
    for (int i = 1; i <= 5; ++i) units.push_back(unit(kInsert, i));
    return units;
  }

  TestDatabase database_;
  EngineRig rig_{database_};
};

TEST_F(BatchSpec, SharesATransaction) {
  const auto transactions = commit(rig_, five_units());
  EXPECT_EQ(std::count(transactions.begin(), transactions.end(), transactions[0]), 5);
  EXPECT_EQ(database_.count("probe"), 5);
}

TEST_F(BatchSpec, HoldsNoMoreThanItsLimit) {
  EngineRig rig(database_, RigOptions{.lanes = 1, .batch_limit = 2, .rides = {}, .engine = {}});
  const auto transactions = commit(rig, five_units());
  std::map<std::string, int> sizes;
  for (const auto& transaction : transactions) ++sizes[transaction];
  EXPECT_GE(sizes.size(), 3U);
  for (const auto& [transaction, size] : sizes) EXPECT_LE(size, 2) << transaction;
}

TEST_F(BatchSpec, APoisonousUnitHurtsOnlyItself) {
  auto units = five_units();
  units[1] = unit(kFail, 2);
  units[3] = unit(kInsert, 1);  // there already
  const auto words = commit(rig_, std::move(units));
  EXPECT_EQ(words[1], "spec_fail 22012");
  EXPECT_EQ(words[3], "spec_insert 23505");
  for (const std::size_t good : {0U, 2U, 4U})
    EXPECT_EQ(words[good].find(' '), std::string::npos) << words[good];
  EXPECT_EQ(database_.value("SELECT string_agg(value::text, ',' ORDER BY value) FROM probe"), "1,3,5");
}

TEST_F(BatchSpec, GoesOnAfterAPoisonousUnit) {
  EXPECT_EQ(commit(rig_, {unit(kFail, 1)}), std::vector<std::string>{"spec_fail 22012"});
  EXPECT_EQ(commit(rig_, {unit(kInsert, 1)})[0].find(' '), std::string::npos);
}

TEST_F(BatchSpec, LeavesOutThoseThatMustBeAlone) {
  auto units = five_units();
  units[2].alone = true;
  const auto transactions = commit(rig_, std::move(units));
  EXPECT_EQ(std::count(transactions.begin(), transactions.end(), transactions[2]), 1);
}

TEST_F(BatchSpec, APoisonousRideHurtsOnlyItself) {
  auto bad = engine_ride(new_key());
  bad.params = R"({"origin_lat":500,"origin_lon":0,"target_lat":0,"target_lon":0})";
  Attempts attempts;
  {
    const Pause pause(rig_.lane());
    for (int i = 0; i < 5; ++i) attempts.push_back(rig_.start(i == 2 ? bad : engine_ride(new_key()), 0));
  }
  EXPECT_EQ(describe(answer_of(attempts[2])), "internal");
  for (const std::size_t good : {0U, 1U, 3U, 4U}) EXPECT_EQ(describe(answer_of(attempts[good])), "201");
  EXPECT_EQ(database_.count("rides"), 4);
  EXPECT_EQ(database_.count("idempotency_keys"), 4);
}

TEST_F(BatchSpec, TheSameKeyTwiceIsOneRide) {
  const std::string key = new_key();
  for (const bool stale : {false, true}) {
    if (stale) {
      database_.execute(
          "UPDATE idempotency_keys SET recovery_point = 'ride_created', finished_at = NULL,"
          " response_code = NULL, response_body = NULL, lease = gen_random_uuid(),"
          " locked_at = now() - interval '91 s'");
    }
    Attempts attempts;
    {
      const Pause pause(rig_.lane());
      for (int i = 0; i < 2; ++i) attempts.push_back(rig_.start(engine_ride(key), 0));
    }
    Tally outcomes;
    for (auto& attempt : attempts) ++outcomes[describe(answer_of(attempt))];
    EXPECT_EQ(outcomes, (Tally{{"201", 1}, {"in_progress", 1}}));
    EXPECT_EQ(database_.count("rides"), 1);
    EXPECT_EQ(rig_.gateway().charges().size(), 1U);
  }
}

// Two lanes that lock the same rows, again and again.
class DeadlockSpec : public testing::Test {
 protected:
  // Runs them all at once, each on the lane given with it; none may fail.
  void run(const std::vector<std::pair<idempotency::Request, std::size_t>>& requests) {
    Attempts attempts;
    {
      const Pause first(rig_->lane(0));
      const Pause second(rig_->lane(1));
      for (const auto& [request, lane] : requests) attempts.push_back(rig_->start(request, lane));
    }
    for (auto& attempt : attempts) {
      const std::string word = describe(answer_of(attempt));
      EXPECT_TRUE(word != "internal" && word != "database_unavailable") << word;
    }
  }
  // A deadlock that was resolved, and its victim run again, shows only here. Backends report it when they
  // end.
  void expect_no_deadlock() {
    rig_.reset();
    EXPECT_TRUE(eventually([&] {
      return database_.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") ==
             1;
    }));
    EXPECT_EQ(database_.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
              0);
  }

  TestDatabase database_;
  std::optional<EngineRig> rig_{database_};
};

TEST_F(DeadlockSpec, KeysAreLockedInOneOrder) {
  std::vector<std::string> keys(16);
  std::generate(keys.begin(), keys.end(), new_key);
  for (int round = 0; round < 5; ++round) {
    rig_->gateway().plan(Behaviour::kIsAway, 32);
    std::vector<std::pair<idempotency::Request, std::size_t>> requests;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      requests.emplace_back(engine_ride(keys[i]), 0);
      requests.emplace_back(engine_ride(keys[keys.size() - 1 - i]), 1);
    }
    run(requests);
  }
  expect_no_deadlock();
}

TEST_F(DeadlockSpec, AccountsAreNotLockedInACircle) {
  for (int round = 0; round < 20; ++round) {
    std::vector<std::pair<idempotency::Request, std::size_t>> requests;
    for (std::size_t lane = 0; lane < 2; ++lane) {
      // In the order of their keys, one lane takes the users' accounts the other way round.
      for (const bool first : {true, false}) {
        const char* user = first == (lane == 0) ? kUser : kDeclinedUser;
        requests.emplace_back(engine_deposit((first ? "a-" : "b-") + new_key(), 1, user), lane);
      }
    }
    run(requests);
  }
  EXPECT_EQ(database_.value("SELECT string_agg(balance::text, ' ') FROM accounts"), "40 40");
  expect_no_deadlock();
}

}  // namespace
}  // namespace rocket::spec
