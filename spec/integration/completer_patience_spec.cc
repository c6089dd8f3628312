#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "rocket/operations/parked_keys.h"
#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"
#include "spec/integration/completer_rig.h"

// When the completer takes a key, and when it parks the key for a person.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using testing::HasSubstr;

class CompleterPatience : public testing::Test {
 protected:
  TestDatabase database_;
  ScriptedGateway gateway_;
};

TEST_F(CompleterPatience, LeavesAKeyToItsClientUntilTheGraceHasPassed) {
  CompleterRig completer(database_, gateway_);
  const std::string key = abandon(database_, {.age = "290 s"});

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database_, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database_, key));
}

TEST_F(CompleterPatience, LeavesAKeyThatRanAMomentAgo) {
  CompleterRig completer(database_, gateway_);
  const std::string key = abandon(database_);
  database_.execute("UPDATE idempotency_keys SET last_run_at = now() - interval '50 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database_, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST_F(CompleterPatience, LeavesALeasedKeyUntilTheLeaseIsStale) {
  CompleterRig completer(database_, gateway_);
  const std::string key = abandon(database_, {.recovery_point = "ride_created"});
  hold(database_, key, "80 s");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_TRUE(gateway_.calls().empty());
  let_pass(database_, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database_, key));
}

TEST_F(CompleterPatience, LeavesForEverWhatIsFinishedOrParked) {
  CompleterRig completer(database_, gateway_);
  const std::string finished = abandon(database_);
  ASSERT_EQ(completer.run_once(), 1);
  ASSERT_TRUE(is_finished(database_, finished));
  abandon(database_);
  database_.execute(
      "UPDATE idempotency_keys SET parked_at = now(), last_error = 'x' WHERE finished_at IS NULL");
  database_.execute("UPDATE idempotency_keys SET last_run_at = created_at");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(gateway_.calls().size(), 1U);
}

TEST_F(CompleterPatience, WaitsTwiceAsLongAfterEachOfItsAttempts) {
  CompleterRig completer(database_, gateway_);
  const std::string key = abandon(database_);
  // The pause is one minute, doubled three times: 480 s.
  database_.execute("UPDATE idempotency_keys SET completions = 3, last_run_at = now() - interval '470 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database_, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST_F(CompleterPatience, WaitsNoLongerThanTheLongestPause) {
  CompleterRig completer(database_, gateway_);
  const std::string key = abandon(database_);
  database_.execute("UPDATE idempotency_keys SET completions = 19, last_run_at = now() - interval '3590 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database_, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST_F(CompleterPatience, ParksAKeyAfterTooManyOfItsAttemptsWithTheLastError) {
  gateway_.plan(Behaviour::kIsAway, 10);
  CompleterRig completer(database_, gateway_, {.max_completions = 2});
  const std::string key = abandon(database_, {.recovery_point = "ride_created"});

  EXPECT_EQ(completer.run_once(), 1);
  let_pass(database_, key, "1 hour");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database_.of_key(key, "parked_at"), "NULL");
  let_pass(database_, key, "1 hour");
  EXPECT_EQ(completer.run_once(), 0);

  EXPECT_NE(database_.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database_.of_key(key, "last_error"), "too many attempts; the last one: connection refused");
  EXPECT_EQ(database_.of_key(key, "recovery_point"), "ride_created");
  let_pass(database_, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(gateway_.calls().size(), 2U);
}

// There are more such keys than fit into a batch.
TEST_F(CompleterPatience, DoesNotTakeAHopelessKeyThatIsNotParkedYet) {
  CompleterRig completer(database_, gateway_, {.max_completions = 2}, 1);
  abandon(database_);
  abandon(database_);
  database_.execute("UPDATE idempotency_keys SET completions = 2");

  EXPECT_EQ(completer.run_once(), 0);

  EXPECT_EQ(database_.count("idempotency_keys", "parked_at IS NOT NULL"), 1);
  EXPECT_EQ(database_.count("idempotency_keys", "completions = 2 AND attempts = 1"), 2);
  EXPECT_TRUE(gateway_.calls().empty());
}

TEST_F(CompleterPatience, DoesNotCountTheAttemptsOfClients) {
  CompleterRig completer(database_, gateway_, {.max_completions = 2});
  const std::string key = abandon(database_);
  database_.execute("UPDATE idempotency_keys SET attempts = 500");

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database_, key));
}

TEST_F(CompleterPatience, DoesNotParkAKeyThatSomeoneHolds) {
  CompleterRig completer(database_, gateway_, {.max_completions = 2});
  const std::string key = abandon(database_);
  database_.execute("UPDATE idempotency_keys SET completions = 2");
  hold(database_, key, "80 s");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(database_.of_key(key, "parked_at"), "NULL");
  let_pass(database_, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_NE(database_.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database_.of_key(key, "lease"), "NULL");
}

TEST_F(CompleterPatience, IsGivenAnewToTheOneKeyThatAPersonNames) {
  const std::string named = abandon(database_);
  const std::string other = abandon(database_);
  database_.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'x'");
  process::EventLoop loop;
  pg::Session session({.url = database_.url()});

  const operations::Order order{.key_id = database_.of_key(named, "id"), .operator_name = "somebody"};
  EXPECT_EQ(loop.run(session.run(operations::carry_out(order, std::chrono::seconds(90)).front())).affected(),
            1);

  EXPECT_EQ(database_.of_key(named, "parked_at"), "NULL");
  EXPECT_NE(database_.of_key(other, "parked_at"), "NULL");
}

TEST_F(CompleterPatience, ParksARequestToAnUnknownEndpoint) {
  CompleterRig completer(database_, gateway_);
  const std::string key = abandon(database_, {.path = "/rockets"});
  const std::string known = abandon(database_);

  EXPECT_EQ(completer.run_once(), 2);

  EXPECT_NE(database_.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database_.of_key(key, "lease"), "NULL");
  EXPECT_THAT(database_.of_key(key, "last_error"), HasSubstr("POST /rockets"));
  EXPECT_TRUE(is_finished(database_, known));
}

TEST_F(CompleterPatience, LeavesARequestThatItCannotGoOnWithUntilItsPatienceIsSpent) {
  CompleterRig completer(database_, gateway_, {.max_completions = 1});
  // A recovery point of a newer version of the program.
  const std::string key = abandon(database_, {.recovery_point = "pilot_assigned"});

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database_.of_key(key, "lease"), "NULL");
  EXPECT_THAT(database_.of_key(key, "last_error"), HasSubstr("pilot_assigned"));
  let_pass(database_, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_NE(database_.of_key(key, "parked_at"), "NULL");
}

}  // namespace
}  // namespace rocket::spec
