#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "reaper/reap.h"
#include "rocket/base/ids.h"
#include "rocket/idempotency/history.h"
#include "spec/integration/completer_rig.h"
#include "spec/integration/engine_fixture.h"
#include "spec/support/child_process.h"
#include "spec/support/history.h"

// What key_attempts tells of a key that did not succeed at once. queries_spec.cc has who sees what of it.
namespace rocket::spec {
namespace {

class History : public EngineSpec {
 protected:
  std::string history() { return history_of(database_, key_); }
  std::int64_t rows() { return database_.count("key_attempts"); }
  // Another process holds the key, and is never heard of again.
  void lose_to_a_dead_process() {
    hold(database_, key_, "1 s");
    database_.execute("UPDATE idempotency_keys SET attempts = attempts + 1");
    database_.pass_lease(key_);
  }
  idempotency::Lease lease_of(const std::string& token) {
    return {kUser, key_, database_.of_key(key_, "id"), token};
  }
  std::size_t rows_of(const pg::Query& query) {
    std::vector<std::string> params;
    for (const auto& each : query.params) params.push_back(each.value());
    return database_.rows(query.statement->sql, params).size();
  }
};

TEST_F(History, OfWhatSucceedsAtItsFirstAttemptIsNothing) {
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(run(key_), "201 replayed");
  EXPECT_EQ(describe(rig_.run(engine_deposit(new_key(), 5))), "201");
  EXPECT_EQ(describe(rig_.run(engine_cancellation(new_key(), "1"))), "200");
  EXPECT_EQ(describe(rig_.run(engine_cancellation(new_key(), "4711"))), "404");
  rig_.gateway().plan(Behaviour::kDeclines);
  EXPECT_EQ(run(new_key()), "402");
  EXPECT_EQ(rows(), 0);
}

TEST_F(History, TellsWhichAttemptGotNoAnswerAndWhichOneFinished) {
  rig_.gateway().plan(Behaviour::kIsAway, 2);
  EXPECT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(history(), "1 - released no_answer started>ride_created");
  EXPECT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(history(),
            "1 - released no_answer started>ride_created\n"
            "2 - released no_answer ride_created>ride_created\n"
            "3 - finished - ride_created>finished");
  EXPECT_EQ(run(key_), "201 replayed");
  EXPECT_EQ(rows(), 3);
  EXPECT_EQ(database_.value("SELECT error FROM key_attempts WHERE attempt = 1"),
            database_.of_key(key_, "last_error"));
}

TEST_F(History, TellsWhichAttemptFailedAndWhichOneWasDeclined) {
  rig_.gateway().plan({{Behaviour::kThrows}, {Behaviour::kDeclines}});
  EXPECT_EQ(run(key_), "internal");
  EXPECT_EQ(run(key_), "402");
  EXPECT_EQ(history(),
            "1 - released failed started>ride_created\n"
            "2 - finished - ride_created>finished");
}

TEST_F(History, TellsOfAFlowWithoutACall) {
  const idempotency::Request deposit = engine_deposit(key_, 5);
  ASSERT_EQ(describe(rig_.run(deposit)), "201");
  database_.execute(
      "UPDATE idempotency_keys SET recovery_point = 'started', finished_at = NULL, response_code = NULL, "
      "response_body = NULL");
  database_.execute("DELETE FROM deposits");
  lose_to_a_dead_process();
  EXPECT_EQ(describe(rig_.run(deposit)), "201");
  // Nothing was written of the first attempt, so it is lost too.
  EXPECT_EQ(history(),
            "1 - lost - started>started\n"
            "2 - lost - started>started\n"
            "3 - finished - started>finished");
}

TEST_F(History, TellsWhatWasLostBeforeItGoesOn) {
  stop_at_ride_created();
  lose_to_a_dead_process();
  Gate gate;
  rig_.gateway().plan({{Behaviour::kCharges, &gate}});
  auto attempt = rig_.start(engine_ride(key_));
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  EXPECT_EQ(history(),
            "1 - released no_answer started>ride_created\n"
            "2 - lost - ride_created>ride_created");
  gate.open();
  EXPECT_EQ(describe(answer_of(attempt)), "201");
  EXPECT_EQ(history(),
            "1 - released no_answer started>ride_created\n"
            "2 - lost - ride_created>ride_created\n"
            "3 - finished - ride_created>finished");
}

TEST_F(History, TellsHowFarALostAttemptGot) {
  stop_at_charge_created();
  database_.execute("DELETE FROM key_attempts");
  lose_to_a_dead_process();
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(history(),
            "1 - lost - started>charge_created\n"
            "2 - lost - charge_created>charge_created\n"
            "3 - finished - charge_created>finished");
}

TEST_F(History, TellsWhatIsParked) {
  stop_at_ride_created();
  database_.execute("UPDATE rides SET created_at = now() - interval '30 hours'");
  rig_.gateway().forget_everything();
  EXPECT_EQ(run(key_), "parked");
  EXPECT_EQ(history(),
            "1 - released no_answer started>ride_created\n"
            "2 - parked needs_person ride_created>ride_created");
  EXPECT_EQ(run(key_), "parked") << "nobody works on it";
  EXPECT_EQ(rows(), 2);
}

TEST_F(History, TellsWhoMadeTheAttempt) {
  RigOptions options;
  options.engine.worker = {"api", "host-7"};
  EngineRig named(database_, options);
  named.gateway().plan({{Behaviour::kIsAway}, {Behaviour::kCharges}});
  EXPECT_EQ(describe(named.run(engine_ride(key_))), "foreign_unavailable");
  EXPECT_EQ(describe(named.run(engine_ride(key_))), "201");
  EXPECT_EQ(history(),
            "1 api released no_answer started>ride_created\n"
            "2 api finished - ride_created>finished");
  EXPECT_EQ(database_.count("key_attempts", "host = 'host-7'"), 2);
}

TEST_F(History, TellsWhatAStoppingProcessReleases) {
  Gate gate;
  rig_.gateway().plan({{Behaviour::kCharges, &gate}});
  auto attempt = rig_.start(engine_ride(key_));
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  EXPECT_EQ(process::block_on(rig_.lane(1).executor(), rig_.engine().release_leases(rig_.lane(1))), 1U);
  EXPECT_EQ(history(), "1 - released stopped started>ride_created");
  gate.open();
  answer_of(attempt);
  EXPECT_EQ(database_.count("key_attempts", "outcome = 'released'"), 1) << "it was released once";
}

TEST_F(History, IsWrittenByWhoHoldsTheLeaseOnly) {
  stop_at_ride_created();
  hold(database_, key_, "1 s");
  const std::int64_t before = rows();
  const idempotency::Lease another = lease_of(random_uuid());
  EXPECT_EQ(rows_of(idempotency::release(another, {}, {.error = "x"})), 0U);
  EXPECT_EQ(rows_of(idempotency::park(another, {}, "x")), 0U);
  const pg::Query told = idempotency::tell_retry(another, {}, "ride_created", true);
  const std::vector<const pg::Query*> alone{&told};
  rows_of(pg::as_set(alone));
  const pg::Query elsewhere =
      idempotency::tell_retry(lease_of(database_.of_key(key_, "lease")), {}, "started", true);
  const std::vector<const pg::Query*> alone_too{&elsewhere};
  rows_of(pg::as_set(alone_too));
  EXPECT_EQ(rows(), before);
}

TEST_F(History, GoesBackAHundredRows) {
  rig_.gateway().plan(Behaviour::kIsAway, 132);
  for (int i = 0; i < 130; ++i) ASSERT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(rows(), 100);
  EXPECT_EQ(database_.number("SELECT min(attempt) FROM key_attempts"), 31);

  // Nobody wrote anything about ten thousand attempts.
  database_.execute("UPDATE idempotency_keys SET attempts = 10000");
  ASSERT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(rows(), 100);
  EXPECT_EQ(database_.number("SELECT max(attempt) FROM key_attempts"), 10001);
  // Somebody wrote too much.
  database_.execute(
      "INSERT INTO key_attempts (key_id, attempt, outcome) "
      "SELECT id, 10001, 'resumed' FROM idempotency_keys, generate_series(1, 10000)");
  ASSERT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(rows(), 100);
  EXPECT_EQ(run(key_), "201");
  EXPECT_EQ(rows(), 100);
  EXPECT_EQ(database_.value("SELECT outcome FROM key_attempts ORDER BY id DESC LIMIT 1"), "finished");
}

TEST_F(History, OfOneKeyLeavesThatOfAnother) {
  rig_.gateway().plan(Behaviour::kIsAway, 1);
  const std::string other = new_key();
  ASSERT_EQ(run(other), "foreign_unavailable");
  rig_.gateway().plan(Behaviour::kIsAway, 110);
  for (int i = 0; i < 110; ++i) ASSERT_EQ(run(key_), "foreign_unavailable");
  EXPECT_EQ(history_of(database_, other), "1 - released no_answer started>ride_created");
}

TEST_F(History, GoesWithAKeyThatIsReaped) {
  rig_.gateway().plan(Behaviour::kIsAway);
  run(key_);
  const std::string young = new_key();
  rig_.gateway().plan(Behaviour::kIsAway);
  run(young);
  ASSERT_EQ(run(key_), "201");
  ASSERT_EQ(run(young), "201");
  database_.execute(
      "UPDATE idempotency_keys SET finished_at = now() - interval '73 hours' "
      "WHERE idempotency_key = $1",
      {key_});
  rows_of(reaper::reap(std::chrono::hours(72), 10));
  EXPECT_EQ(database_.count("idempotency_keys"), 1);
  EXPECT_EQ(rows(), 2);
  EXPECT_NE(history_of(database_, young), "");
}

TEST_F(History, GoesWithAKeyWhoseRequestIsRefused) {
  const idempotency::Request cancel = engine_cancellation(key_, "4711");
  database_.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "request_params) "
      "VALUES (gen_random_uuid(), 1, $1, 'DELETE', '/rides/4711', '{}')",
      {key_});
  database_.execute(
      "INSERT INTO key_attempts (key_id, attempt, outcome) SELECT id, 1, 'released' FROM idempotency_keys");
  EXPECT_EQ(describe(rig_.run(cancel)), "404");
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
  EXPECT_EQ(rows(), 0);
}

TEST_F(History, GoesWithAUserWhoIsForgotten) {
  rig_.gateway().plan(Behaviour::kIsAway, 2);
  const std::string others = new_key();
  run(key_);
  rig_.run(engine_ride(others, kDeclinedUser));
  ASSERT_EQ(run(key_), "201");
  const Finished done = run_to_end("api", {{"DATABASE_URL", database_.url()}}, {"--forget-user", kUser});
  ASSERT_EQ(done.exit.code, 0) << done.output;
  EXPECT_EQ(rows(), 1);
  EXPECT_NE(history_of(database_, others), "");
}

}  // namespace
}  // namespace rocket::spec
