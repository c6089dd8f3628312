#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>
#include <regex>
#include <string>
#include <system_error>
#include <thread>

#include "simulator/statistics.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/test_database.h"

// The output of the simulator. bin/chaos attributes the progress lines to the faults of the moment. The
// summary is the result of a run.
namespace rocket::spec {
namespace {

using asio::ip::tcp;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(SimulatorTraffic, SaysWhatCameBackSoFar) {
  const TestDatabase database;
  const ApiProcess api(database);
  const ChildProcess simulator(
      "simulator", {{"DATABASE_URL", database.url()}, {"LOG_LEVEL", "warn"}},
      {"--url", api.url(), "--rate", "200", "--duration", "0", "--seed", "1", "--progress", "50"});
  // The output separates failures that the request asked for from other failures.
  const std::regex told("progress seen=201:[0-9]+,402_card_declined:[0-9]+.*500_raise_error:");
  EXPECT_TRUE(eventually([&] { return std::regex_search(simulator.output(), told); })) << simulator.output();
  simulator.kill(SIGTERM);
  ASSERT_TRUE(simulator.wait_for_exit().has_value());
  EXPECT_THAT(simulator.output(), Not(HasSubstr("500_internal")));
}

TEST(SimulatorTraffic, IsCheckedAtItsEndAndSignsIn) {
  TestDatabase database;
  const ApiProcess api(database, {{"AUTH", "token"}});
  const Finished simulator = run_to_end(
      "simulator", {{"DATABASE_URL", database.url()}, {"LOG_LEVEL", "warn"}},
      {"--url", api.url(), "--rate", "200", "--duration", "3", "--seed", "1", "--verify", "--settle", "0"});
  EXPECT_EQ(simulator.exit.code, 0) << simulator.output;
  EXPECT_THAT(simulator.output, ContainsRegex("checking acknowledged=[1-9]"));
  EXPECT_THAT(simulator.output, Not(HasSubstr("rr_")));
  // What an earlier simulator left behind goes with the next one.
  EXPECT_GT(database.count("api_tokens"), 4);
  database.execute("UPDATE api_tokens SET created_at = now() - interval '2 days', last_used_at = NULL");
  const ChildProcess next("simulator", {{"DATABASE_URL", database.url()}},
                          {"--url", api.url(), "--rate", "1", "--users", "3"});
  EXPECT_TRUE(eventually([&] { return database.count("api_tokens") == 4; })) << next.output();
  EXPECT_EQ(database.count("api_tokens", "created_at < now() - interval '1 day'"), 0);
}

// The sum of all matches of the first group in the output.
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
  // Long enough that duplicates run at the same time.
  const ApiProcess api(database, {{"MOCK_LATENCY_MS", "30"}});
  const ChildProcess simulator("simulator", {{"DATABASE_URL", database.url()}, {"LOG_LEVEL", "warn"}},
                               {"--url", api.url(), "--rate", "400", "--concurrency", "16", "--duration", "0",
                                "--seed", "1", "--progress", "50"});
  // This many keys include each scenario.
  ASSERT_TRUE(eventually([&] { return database.count("idempotency_keys") >= 250; }, std::chrono::minutes(1)))
      << simulator.output();
  simulator.wait_for_line("409_request_in_progress:");
  expect_good_end(simulator);
  const std::string output = simulator.output();

  EXPECT_GT(database.number("SELECT count(DISTINCT user_id) FROM idempotency_keys"), 10);
  // Requests that failed on purpose and were sent again.
  EXPECT_GT(database.count("idempotency_keys", "attempts > 1 AND response_code = 201"), 0);
  for (const simulator::Scenario scenario : simulator::kAllScenarios) {
    EXPECT_THAT(output, HasSubstr("scenarios scenario=" + std::string(name_of(scenario)) + " ending="));
  }
  EXPECT_THAT(output, HasSubstr("answers status=409 code=request_in_progress count="));
  EXPECT_THAT(output, ContainsRegex("answers status=201 code=\"\" count=[1-9]"));
  EXPECT_THAT(output, ContainsRegex("answers status=402 code=card_declined count=[1-9]"));

  EXPECT_EQ(sum_of(output, "answers status=.* count=([0-9]+)"), sum_of(output, " answers=([0-9]+)"));
  EXPECT_EQ(sum_of(output, "ending=[a-z]+ count=([0-9]+)"), sum_of(output, "scenarios=([0-9]+)"));
  EXPECT_GE(sum_of(output, "p99_ms=([0-9]+)"), 30);
  EXPECT_EQ(sum_of(output, "violations count=([0-9]+)"), 0);
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
  // The tolerance is 2 %.
  EXPECT_NEAR(static_cast<double>(sum_of(output, "p50_ms=([0-9]+)")), 50, 1.1) << output;
  EXPECT_NEAR(static_cast<double>(sum_of(output, "p99_ms=([0-9]+)")), 99, 2.1) << output;
}

TEST(SimulatorTraffic, SaysThatNobodyAnswered) {
  // The simulator needs no database to send requests.
  const ChildProcess simulator(
      "simulator", {{"LOG_LEVEL", "warn"}},
      {"--url", "http://127.0.0.1:1", "--rate", "100", "--duration", "1", "--progress", "50"});
  EXPECT_THAT(simulator.wait_for_line("refused:"), Not(HasSubstr("201:")));
}

// A load balancer without an api behind it.
class BalancerWithoutApi {
 public:
  explicit BalancerWithoutApi(int status)
      : answer_("HTTP/1.1 " + std::to_string(status) +
                " Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~BalancerWithoutApi() {
    ending_ = true;
    std::error_code ignored;
    tcp::socket last(context_);
    last.connect(acceptor_.local_endpoint(), ignored);
    last.close(ignored);
    thread_.join();
  }
  BalancerWithoutApi(const BalancerWithoutApi&) = delete;
  BalancerWithoutApi& operator=(const BalancerWithoutApi&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  void serve() {
    while (!ending_) {
      tcp::socket socket = acceptor_.accept();
      std::error_code ignored;
      asio::write(socket, asio::buffer(answer_), ignored);
      socket.shutdown(tcp::socket::shutdown_send, ignored);
      // Reads to the end, because an early close could lose the answer.
      std::string rest;
      asio::read(socket, asio::dynamic_buffer(rest), ignored);
    }
  }

  const std::string answer_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

TEST(SimulatorTraffic, TakesABalancersErrorForNoAnswer) {
  for (const int status : {502, 503, 504}) {
    const BalancerWithoutApi balancer(status);
    const Finished run = run_to_end("simulator", {{"LOG_LEVEL", "warn"}},
                                    {"--url", balancer.url(), "--rate", "50", "--duration", "1"});
    EXPECT_EQ(run.exit.code, 0) << run.output;
    EXPECT_THAT(run.output,
                AllOf(HasSubstr("violations count=0"), ContainsRegex("answered_by_gateway=[1-9]"),
                      HasSubstr("the api cannot be reached; trying again url=" + balancer.url())));
  }
  // Any other answer without a request id does not come from the api.
  const BalancerWithoutApi stranger(500);
  const Finished run = run_to_end("simulator", {{"LOG_LEVEL", "warn"}},
                                  {"--url", stranger.url(), "--rate", "50", "--duration", "1"});
  EXPECT_EQ(run.exit.code, 1) << run.output;
}

TEST(SimulatorTraffic, SaysOnceThatTheApiIsAwayAndOnceThatItIsBack) {
  const TestDatabase database;
  std::optional<ApiProcess> api(std::in_place, database);
  const std::string port = std::to_string(api->port());
  api.reset();
  const ChildProcess simulator("simulator", {}, {"--api-port", port, "--rate", "100"});
  simulator.wait_for_line("cannot be reached; trying again url=http://127.0.0.1:" + port);
  api.emplace(database, Environment{{"API_PORT", port}});
  simulator.wait_for_line("the api can be reached again");
  expect_good_end(simulator);
  const std::string output = simulator.output();
  const auto first = output.find("cannot be reached");
  EXPECT_EQ(output.find("cannot be reached", first + 1), std::string::npos) << output;
}

// foreman, forego and honcho give each process another PORT. The first process gets the given one, and each
// further process gets a hundred more.
TEST(SimulatorTraffic, GoesToTheApiWhateverPortTheProcfileGivesIt) {
  const TestDatabase database;
  const ApiProcess api(database);
  std::ifstream procfile(source_dir() + "/Procfile");
  std::string command;
  int offset = -100;
  for (std::string line; command.empty() && std::getline(procfile, line);) {
    offset += 100;
    if (line.starts_with("simulator: ")) command = line.substr(line.find(' ') + 1);
  }
  for (const auto& [folder, place] : {std::pair<std::string, std::string>("build/bin/", bin_dir() + "/"),
                                      {"bin/support/", source_dir() + "/bin/support/"}}) {
    ASSERT_NE(command.find(folder), std::string::npos) << command;
    command.replace(command.find(folder), folder.size(), place);
  }

  const std::string port = std::to_string(api.port());
  const std::string own_port = std::to_string(api.port() + offset);
  for (const Environment& environment :
       {Environment{{"PORT", own_port}}, Environment{{"PORT", "5400"}, {"API_PORT", port}},
        Environment{{"PORT", "5400"}, {"API_URL", api.url()}}}) {
    const ChildProcess simulator("/bin/sh", environment, {"-c", command});
    EXPECT_THAT(simulator.wait_for_line("started"), HasSubstr("url=http://127.0.0.1:" + port));
    simulator.wait_for_line(" asked for a ");
    expect_good_end(simulator);
  }
}

}  // namespace
}  // namespace rocket::spec
