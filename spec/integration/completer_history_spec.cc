#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spec/integration/completer_rig.h"
#include "spec/support/history.h"
#include "spec/support/scripted_gateway.h"
#include "spec/support/test_database.h"

// What the completer writes into the history of keys.
namespace rocket::spec {
namespace {

class CompleterHistory : public testing::Test {
 protected:
  std::string history(const std::string& key) { return history_of(database_, key); }

  TestDatabase database_;
  ScriptedGateway gateway_;
  CompleterRig completer_{database_, gateway_};
};

TEST_F(CompleterHistory, TellsWhatWasLostAndThatItWasFinished) {
  const std::string key = abandon(database_, {.recovery_point = "ride_created"});
  hold(database_, key, "1 hour");
  completer_.run_once();
  EXPECT_EQ(history(key),
            "1 - lost - started>ride_created\n"
            "2 completer finished - ride_created>finished");
}

TEST_F(CompleterHistory, TellsOfEachKeyOfABatch) {
  std::vector<std::string> keys;
  for (int i = 0; i < 70; ++i) keys.push_back(abandon(database_, {.recovery_point = "charge_created"}));
  completer_.run_once();
  for (const std::string& key : keys) {
    EXPECT_EQ(history(key),
              "1 - lost - started>charge_created\n"
              "2 completer finished - charge_created>finished");
  }
}

TEST_F(CompleterHistory, TellsWhatIsParkedAfterTooManyAttempts) {
  gateway_.plan(ScriptedGateway::Behaviour::kIsAway);
  const std::string released = abandon(database_, {.recovery_point = "ride_created"});
  completer_.run_once();
  const std::string lost = abandon(database_, {.recovery_point = "ride_created"});
  database_.execute(
      "UPDATE idempotency_keys SET completions = 20, last_run_at = last_run_at - interval '2 hours'");
  completer_.run_once();
  EXPECT_EQ(history(released),
            "1 - lost - started>ride_created\n"
            "2 completer released no_answer ride_created>ride_created\n"
            "2 completer parked needs_person ride_created>ride_created");
  EXPECT_EQ(history(lost),
            "1 - lost - started>ride_created\n"
            "1 completer parked needs_person ride_created>ride_created");
}

TEST_F(CompleterHistory, TellsThatNobodyKnowsTheEndpoint) {
  const std::string key = abandon(database_, {.path = "/unknown"});
  completer_.run_once();
  EXPECT_EQ(history(key),
            "1 - lost - started>started\n"
            "2 completer parked needs_person started>started");
}

}  // namespace
}  // namespace rocket::spec
