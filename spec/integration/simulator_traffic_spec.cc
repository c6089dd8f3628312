#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "simulator/statistics.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/test_database.h"

// The simulator as others read it: bin/chaos attributes what it prints to the faults of that moment, and the
// summary is what a run is for.
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

// What the first group matches in the output, added up.
std::int64_t sum_of(const std::string& output, const std::string& pattern) {
  const std::regex number(pattern);
  std::int64_t sum = 0;
  for (std::sregex_iterator each(output.begin(), output.end(), number), end; each != end; ++each) {
    sum += std::stoll((*each)[1].str());
  }
  return sum;
}

TEST(SimulatorTraffic, ComesFromManyUsersAndIsSummedUp) {
  TestDatabase database;
  // Long enough for duplicates to meet.
  const ApiProcess api(database, {{"MOCK_LATENCY_MS", "30"}});
  const Finished run = run_to_end(
      "simulator", {{"DATABASE_URL", database.url()}, {"LOG_LEVEL", "warn"}},
      {"--url", api.url(), "--rate", "400", "--concurrency", "16", "--duration", "1", "--seed", "1"});
  ASSERT_EQ(run.exit.code, 0) << run.output;

  EXPECT_GT(database.number("SELECT count(DISTINCT user_id) FROM idempotency_keys"), 10);
  // Those that failed as they were asked to, and were sent again.
  EXPECT_GT(database.count("idempotency_keys", "attempts > 1 AND response_code = 201"), 0);
  for (const simulator::Scenario scenario : simulator::kAllScenarios) {
    EXPECT_THAT(run.output, HasSubstr("scenarios scenario=" + std::string(name_of(scenario)) + " ending="));
  }
  EXPECT_THAT(run.output, HasSubstr("answers status=409 code=request_in_progress count="));
  EXPECT_THAT(run.output, ContainsRegex("answers status=201 code=\"\" count=[1-9]"));
  EXPECT_THAT(run.output, ContainsRegex("answers status=402 code=card_declined count=[1-9]"));

  EXPECT_EQ(sum_of(run.output, "answers status=.* count=([0-9]+)"), sum_of(run.output, " answers=([0-9]+)"));
  EXPECT_EQ(sum_of(run.output, "ending=[a-z]+ count=([0-9]+)"), sum_of(run.output, "scenarios=([0-9]+)"));
  EXPECT_GE(sum_of(run.output, "p99_ms=([0-9]+)"), 30);
  EXPECT_EQ(sum_of(run.output, "violations count=([0-9]+)"), 0);
}

TEST(SimulatorTraffic, SumsLatenciesUp) {
  simulator::Statistics statistics;
  for (int ms = 1; ms <= 100; ++ms) {
    simulator::HttpAnswer answer;
    answer.status = 201;
    answer.duration = std::chrono::milliseconds(ms);
    statistics.add(answer, "");
  }
  testing::internal::CaptureStdout();
  statistics.print(Log("simulator", {}));
  const std::string output = testing::internal::GetCapturedStdout();
  // To 2 %.
  EXPECT_NEAR(static_cast<double>(sum_of(output, "p50_ms=([0-9]+)")), 50, 1.1) << output;
  EXPECT_NEAR(static_cast<double>(sum_of(output, "p99_ms=([0-9]+)")), 99, 2.1) << output;
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
