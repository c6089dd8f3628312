#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "spec/integration/completer_rig.h"

// When the completer takes a key, and when it gives it up to a person.
namespace rocket::spec {
namespace {

using Behaviour = ScriptedGateway::Behaviour;
using testing::HasSubstr;

TEST(CompleterPatience, LeavesAKeyToItsClientUntilTheGraceHasPassed) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.age = "290 s"});

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(CompleterPatience, LeavesAKeyThatRanAMomentAgo) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET last_run_at = now() - interval '50 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST(CompleterPatience, LeavesALeasedKeyUntilTheLeaseIsStale) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.recovery_point = "ride_created"});
  hold(database, key, "80 s");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_TRUE(gateway.calls().empty());
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(CompleterPatience, WaitsTwiceAsLongAfterEachOfItsAttempts) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);
  // A minute, doubled three times: 480 s.
  database.execute("UPDATE idempotency_keys SET completions = 3, last_run_at = now() - interval '470 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST(CompleterPatience, WaitsNoLongerThanTheLongestPause) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET completions = 19, last_run_at = now() - interval '3590 s'");

  EXPECT_EQ(completer.run_once(), 0);
  let_pass(database, key, "11 s");
  EXPECT_EQ(completer.run_once(), 1);
}

TEST(CompleterPatience, ParksAKeyAfterTooManyOfItsAttemptsWithTheLastError) {
  TestDatabase database;
  ScriptedGateway gateway;
  gateway.plan(Behaviour::kIsAway, 10);
  CompleterRig completer(database, gateway, {.most_completions = 2});
  const std::string key = abandon(database, {.recovery_point = "ride_created"});

  EXPECT_EQ(completer.run_once(), 1);
  let_pass(database, key, "1 hour");
  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "parked_at"), "NULL");
  let_pass(database, key, "1 hour");
  EXPECT_EQ(completer.run_once(), 0);

  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database.of_key(key, "last_error"), "too many attempts; the last one: connection refused");
  EXPECT_EQ(database.of_key(key, "recovery_point"), "ride_created");
  let_pass(database, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(gateway.calls().size(), 2U);
}

TEST(CompleterPatience, DoesNotCountTheAttemptsOfClients) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {.most_completions = 2});
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET attempts = 500");

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_TRUE(is_finished(database, key));
}

TEST(CompleterPatience, DoesNotParkAKeyThatSomeoneHolds) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {.most_completions = 2});
  const std::string key = abandon(database);
  database.execute("UPDATE idempotency_keys SET completions = 2");
  hold(database, key, "80 s");

  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_EQ(database.of_key(key, "parked_at"), "NULL");
  let_pass(database, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
}

TEST(CompleterPatience, ParksARequestToAnUnknownEndpoint) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway);
  const std::string key = abandon(database, {.path = "/rockets"});
  const std::string known = abandon(database);

  EXPECT_EQ(completer.run_once(), 2);

  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
  EXPECT_THAT(database.of_key(key, "last_error"), HasSubstr("POST /rockets"));
  EXPECT_TRUE(is_finished(database, known));
}

TEST(CompleterPatience, LeavesARequestThatItCannotGoOnWithUntilItsPatienceIsSpent) {
  TestDatabase database;
  ScriptedGateway gateway;
  CompleterRig completer(database, gateway, {.most_completions = 1});
  // As by a newer version of the program.
  const std::string key = abandon(database, {.recovery_point = "pilot_assigned"});

  EXPECT_EQ(completer.run_once(), 1);
  EXPECT_EQ(database.of_key(key, "lease"), "NULL");
  EXPECT_THAT(database.of_key(key, "last_error"), HasSubstr("pilot_assigned"));
  let_pass(database, key, "1 day");
  EXPECT_EQ(completer.run_once(), 0);
  EXPECT_NE(database.of_key(key, "parked_at"), "NULL");
}

}  // namespace
}  // namespace rocket::spec
