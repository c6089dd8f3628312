#include <gtest/gtest.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <future>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/pg/errors.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// Which units share a transaction, and which must not.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using Attempts = std::vector<std::future<idempotency::Outcome>>;
using Tally = std::map<std::string, int>;

class BatchSpec : public testing::Test {
 protected:
  static constexpr pg::Statement kInsert{
      "spec_insert", "INSERT INTO probe VALUES ($1) RETURNING pg_current_xact_id()::text AS transaction"};
  static constexpr pg::SetStatement kInsertSet{"spec_insert_set", R"sql(
    WITH inserted AS (
      INSERT INTO probe SELECT value FROM unnest($1::int[]) value RETURNING value
    )
    SELECT asked.n, asked.note, pg_current_xact_id()::text AS transaction
      FROM inserted JOIN unnest($1::int[], $2::text[]) WITH ORDINALITY AS asked (value, note, n) USING (value)
     WHERE asked.note IS DISTINCT FROM 'silent' ORDER BY value DESC)sql"};
  static constexpr pg::Statement kFail{"spec_fail", "INSERT INTO probe VALUES ($1::int / 0)"};

  static constexpr pg::Statement kNothing{"spec_nothing", "SELECT ''"};

  BatchSpec() {
    database_.execute("CREATE TABLE probe (value int UNIQUE)");
    // Connects the lane first. Otherwise it would begin with the units that have arrived when it connects.
    pg::Unit first;
    first.queries.emplace_back(kNothing, pg::Params{});
    asio::co_spawn(rig_.lane().executor(), rig_.lane().commit(std::move(first)), asio::use_future).get();
  }

  static pg::Unit unit(const pg::Statement& statement, int value, bool exclusive = false) {
    pg::Unit made{std::to_string(value), {}, exclusive};
    made.queries.emplace_back(statement, pg::Params{std::to_string(value)});
    return made;
  }

  // The transaction of each unit, or the statement's name and the SQLSTATE with which it failed.
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

TEST_F(BatchSpec, GivesEachUnitItsOwnRowOfASet) {
  const std::vector<std::optional<std::string>> notes{R"(a "quoted", {braced} \\ text)", "", "silent",
                                                      std::nullopt, "NULL"};
  std::vector<std::future<std::vector<pg::Result>>> futures;
  {
    const Pause pause(rig_.lane());
    for (std::size_t i = 0; i < notes.size(); ++i) {
      // The lock keys make the lane send the units in another order.
      pg::Unit unit{std::to_string(9 - i), {}, false};
      unit.queries.emplace_back(kInsertSet, pg::Params{std::to_string(i), notes[i]});
      futures.push_back(
          asio::co_spawn(rig_.lane().executor(), rig_.lane().commit(std::move(unit)), asio::use_future));
    }
  }
  std::set<std::string> transactions;
  for (std::size_t i = 0; i < notes.size(); ++i) {
    const std::vector<pg::Result> results = futures[i].get();
    ASSERT_EQ(results.size(), 1U);
    if (notes[i] == "silent") {
      EXPECT_TRUE(results[0].empty());
      continue;
    }
    ASSERT_EQ(results[0].rows(), 1);
    EXPECT_EQ(results[0].optional_text(0, "note"), notes[i]);
    transactions.emplace(results[0].text(0, "transaction"));
  }
  EXPECT_EQ(transactions.size(), 1U);
}

TEST_F(BatchSpec, HoldsUnitsOfOneShape) {
  auto units = five_units();
  for (const std::size_t other : {1U, 3U}) {
    units[other].queries.emplace_back(kInsert, pg::Params{std::to_string(10 + other)});
  }
  const auto transactions = commit(rig_, std::move(units));
  EXPECT_EQ(transactions[0], transactions[2]);
  EXPECT_EQ(transactions[0], transactions[4]);
  EXPECT_EQ(transactions[1], transactions[3]);
  EXPECT_NE(transactions[0], transactions[1]);
}

TEST_F(BatchSpec, HoldsOneUnitOfEachOrder) {
  auto units = five_units();
  units[3].lock_key = units[0].lock_key;
  const auto transactions = commit(rig_, std::move(units));
  EXPECT_EQ(std::count(transactions.begin(), transactions.end(), transactions[0]), 4);
  EXPECT_NE(transactions[3], transactions[0]);
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
  units[2].exclusive = true;
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

// PostgreSQL makes plans for the present size of the tables. A plan for empty tables reads whole tables.
TEST(Plans, AreMadeAnewWhileTablesGrow) {
  constexpr int kRides = 2000;
  TestDatabase database;
  database.execute("ANALYZE");
  {
    EngineRig rig(database, RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
    Attempts attempts;
    for (int i = 0; i < kRides; ++i) attempts.push_back(rig.start(engine_ride(new_key()), 0));
    for (auto& attempt : attempts) ASSERT_EQ(describe(answer_of(attempt)), "201");
  }
  // Sessions report what they have read when they end. A ride reads its rows about ten times.
  ASSERT_TRUE(eventually([&] {
    return database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == 1;
  }));
  EXPECT_LT(database.number("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes "
                            "WHERE relname IN ('idempotency_keys', 'rides')"),
            kRides * 15);
  EXPECT_LT(database.number("SELECT sum(seq_tup_read) FROM pg_stat_user_tables "
                            "WHERE relname IN ('idempotency_keys', 'rides')"),
            kRides);
}

// Two lanes that lock the same rows, again and again.
class DeadlockSpec : public testing::Test {
 protected:
  // Runs all requests at once, each on its own given lane. None may fail.
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
  // A deadlock that PostgreSQL resolved, and whose victim ran again, shows only in these statistics. Server
  // processes report it when they end.
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
      // The idempotency keys are ordered so that one lane would lock the users' accounts in the opposite
      // order.
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
