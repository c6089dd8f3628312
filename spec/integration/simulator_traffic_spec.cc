#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/test_database.h"

// The simulator as others read it: bin/chaos attributes what it prints to the faults of that moment.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(SimulatorTraffic, SaysWhatCameBackSoFar) {
  const TestDatabase database;
  const ApiProcess api(database);
  const ChildProcess simulator("simulator", {{"DATABASE_URL", database.url()}, {"LOG_LEVEL", "warn"}},
                               {"--url", api.url(), "--rate", "200", "--duration", "1", "--seed", "1",
                                "--progress", "50", "--verify", "--settle", "0"});
  simulator.wait_for_line("progress seen=201:");
  const auto exit = simulator.wait_for_exit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 0);
  // Failures that were asked for are told apart from those that were not.
  EXPECT_THAT(simulator.output(), AllOf(ContainsRegex("progress seen=201:[0-9]+,402_card_declined:[0-9]+"),
                                        HasSubstr("500_raise_error:"), Not(HasSubstr("500_internal"))));
  EXPECT_THAT(simulator.output(), ContainsRegex("checking acknowledged=[1-9]"));
}

TEST(SimulatorTraffic, SaysThatNobodyAnswered) {
  // Without a database it needs none to send.
  const ChildProcess simulator(
      "simulator", {{"LOG_LEVEL", "warn"}},
      {"--url", "http://127.0.0.1:1", "--rate", "100", "--duration", "1", "--progress", "50"});
  EXPECT_THAT(simulator.wait_for_line("refused:"), Not(HasSubstr("201:")));
}

}  // namespace
}  // namespace rocket::spec
