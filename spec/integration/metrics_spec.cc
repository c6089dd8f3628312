#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <ostream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/http_client.h"
#include "spec/support/paths.h"
#include "spec/support/scrape.h"
#include "spec/support/test_database.h"
#include "spec/support/time_limits.h"

// What every process serves at /metrics, and what it does about scrapers that behave badly.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kProcesses{"api", "completer", "enqueuer", "reaper", "simulator"};

Environment environment_of(const TestDatabase& database) {
  return {{"DATABASE_URL", database.url()},
          {"API_PORT", "0"},
          {"API_URL", "http://127.0.0.1:1"},
          {"API_ALLOW_UNSAFE", "root,core-dumps"}};
}

// A process that serves metrics, once they can be scraped.
class Scraped {
 public:
  Scraped(const std::string& program, const Environment& environment)
      : port(free_port()), process(program, with_metrics(environment, port)) {
    process.wait_for_line("metrics are at");
  }

  const std::uint16_t port;
  const ChildProcess process;
};

// What promtool has to say about the text; empty if it is content.
std::string promtool_on(const std::string& text) {
  const std::string file = testing::TempDir() + "rocket_metrics_" + std::to_string(::getpid());
  std::ofstream(file) << text;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(
      ::popen(("promtool check metrics <" + file + " 2>&1; echo status $?").c_str(), "r"), &::pclose);
  std::string said;
  for (int each = std::fgetc(pipe.get()); each != EOF; each = std::fgetc(pipe.get())) {
    said += static_cast<char>(each);
  }
  std::remove(file.c_str());
  return said;
}

class MetricsOf : public testing::TestWithParam<std::string> {
 protected:
  TestDatabase database_;
};

INSTANTIATE_TEST_SUITE_P(The, MetricsOf, testing::ValuesIn(kProcesses),
                         [](const auto& each) { return each.param; });

TEST_P(MetricsOf, PleasePromtoolAndTellAboutTheProcess) {
  const Scraped scraped(GetParam(), environment_of(database_));
  const Scrape scrape(scraped.port);
  EXPECT_EQ(promtool_on(scrape.text()), "status 0\n");
  const std::regex build_info("rocket_build_info\\{compiler=\"[^\"]+\",process=\"" + GetParam() +
                              "\",version=\"[0-9.]+\"\\} 1\n");
  EXPECT_TRUE(std::regex_search(scrape.text(), build_info)) << scrape.text();
  EXPECT_EQ(scrape.value("rocket_log_lines_dropped_total"), 0);
  EXPECT_GT(scrape.value("process_resident_memory_bytes").value_or(0), 1'000'000);
  EXPECT_GT(scrape.value("process_open_fds").value_or(0), 3);
  EXPECT_GT(scrape.value("process_max_fds").value_or(0), 3);
  EXPECT_GE(scrape.value("process_cpu_seconds_total").value_or(-1), 0);
  const double now = static_cast<double>(std::time(nullptr));
  EXPECT_NEAR(scrape.value("process_start_time_seconds").value_or(0), now, 60);
  expect_good_end(scraped.process);
}

TEST_P(MetricsOf, CanBeOffOrUnreachableAndTheProcessWorks) {
  const ChildProcess silent(GetParam(), with_metrics(environment_of(database_), 0));
  const Scraped first(GetParam(), environment_of(database_));
  const ChildProcess second(GetParam(), with_metrics(environment_of(database_), first.port));
  EXPECT_THAT(second.wait_for_line("cannot serve metrics"), HasSubstr("warning"));
  for (const ChildProcess* each : {&silent, &second, &first.process}) {
    each->wait_for_line(GetParam() == "api" ? "listening" : "started");
    expect_good_end(*each);
  }
  EXPECT_THAT(silent.output(), Not(HasSubstr("metrics")));
}

// The names in the column of the table of docs/operations.md.
std::set<std::string> documented_families() {
  std::ifstream file(source_dir() + "/docs/operations.md");
  std::set<std::string> names;
  const std::regex name("`((rocket|process)_[a-z_]+)(\\{[a-z_, ]+\\})?`");
  bool is_table = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) is_table = line == "### All metrics";
    if (!is_table || !line.starts_with("|")) continue;
    const std::string column = line.substr(0, line.find('|', 1));
    for (std::sregex_iterator each(column.begin(), column.end(), name), end; each != end; ++each) {
      names.insert((*each)[1].str());
    }
  }
  return names;
}

TEST(Metrics, AreAllDocumented) {
  TestDatabase database;
  std::set<std::string> families;
  for (const std::string& process : kProcesses) {
    const Scraped scraped(process, environment_of(database));
    const bool asks = process != "api" && process != "simulator";
    if (asks) {
      EXPECT_EQ(eventual_value(scraped.port, "rocket_database_reachable", 1), 1) << process;
    }
    const std::set<std::string> shown = Scrape(scraped.port).families();
    families.insert(shown.begin(), shown.end());
  }
  EXPECT_EQ(documented_families(), families);
}

TEST(Metrics, AreOnThePortOfTheProcessBeforeThatOfAll) {
  TestDatabase database;
  const std::uint16_t own = free_port();
  Environment environment = environment_of(database);
  environment["REAPER_METRICS_PORT"] = std::to_string(own);
  const ChildProcess reaper("reaper", environment);
  reaper.wait_for_line("metrics are at");
  EXPECT_EQ(Scrape(own).value("rocket_keys_reaped_total"), 0);
}

TEST(Metrics, AreServedAtAnAddressOnly) {
  const Finished reaper =
      run_to_end("reaper", {{"DATABASE_URL", "postgresql://localhost/x"}, {"METRICS_BIND", "a.name"}});
  EXPECT_EQ(reaper.exit.code, 2);
  EXPECT_THAT(reaper.output, HasSubstr("METRICS_BIND must be an address"));
}

TEST(Metrics, AnswerOtherRequestsWithoutTheMetrics) {
  TestDatabase database;
  const Scraped scraped("reaper", environment_of(database));
  const auto status = [&](const std::string& method, const std::string& target) {
    HttpConnection connection(scraped.port);
    connection.send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return connection.receive(method == "HEAD").status;
  };
  EXPECT_EQ(status("GET", "/metrics"), 200);
  EXPECT_EQ(status("GET", "/metrics?name[]=up"), 200);
  EXPECT_EQ(status("HEAD", "/metrics"), 200);
  EXPECT_EQ(status("GET", "/"), 404);
  EXPECT_EQ(status("GET", "/metrics/more"), 404);
  EXPECT_EQ(status("POST", "/metrics"), 405);
  HttpConnection nonsense(scraped.port);
  nonsense.send("\x16\x03\x01 nonsense\r\n\r\n");
  EXPECT_EQ(nonsense.receive().status, 400);
  HttpConnection endless(scraped.port);
  EXPECT_THROW(
      {
        for (int i = 0; i < 1000; ++i) endless.send(std::string(1000, 'x'));
        endless.receive();
      },
      std::runtime_error);
  EXPECT_EQ(status("GET", "/metrics"), 200);
}

TEST(Metrics, AreServedWhileAThousandScrapersStandStill) {
  TestDatabase database;
  Environment environment = environment_of(database);
  const Scraped scraped("api", environment);
  const double files_before = Scrape(scraped.port).value("process_open_fds").value_or(0);
  std::vector<std::unique_ptr<HttpConnection>> silent;
  for (int i = 0; i < 1000; ++i) {
    silent.push_back(std::make_unique<HttpConnection>(scraped.port));
    // Some say nothing, some only half, and some do not take their answer.
    if (i % 3 == 1) silent.back()->send("GET /metrics HTT");
    if (i % 3 == 2) silent.back()->send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  // A busy machine is slow only sometimes.
  auto fastest = std::chrono::milliseconds::max();
  for (int i = 0; i < 5; ++i) {
    fastest = std::min(fastest, time_of([&] {
                         const Scrape scrape(scraped.port);
                         EXPECT_LT(scrape.value("process_open_fds").value_or(1000), files_before + 40);
                       }));
  }
  EXPECT_LT(fastest, std::chrono::seconds(2));
  // Those that are left are cut off.
  for (auto& each : silent) each->end_sending();
  EXPECT_TRUE(eventually(
      [&] { return Scrape(scraped.port).value("process_open_fds").value_or(1000) <= files_before + 3; }));

  HttpConnection stalled(scraped.port);
  stalled.send("GET /metr");
  const auto stop = std::chrono::steady_clock::now();
  expect_good_end(scraped.process);
  EXPECT_LT(std::chrono::steady_clock::now() - stop, std::chrono::seconds(4)) << "nobody waits for a scraper";
}

TEST(Metrics, AreNotKeptForAScraperBeyondItsTime) {
  TestDatabase database;
  const Scraped scraped("reaper", environment_of(database));
  HttpConnection silent(scraped.port);
  EXPECT_TRUE(silent.ends());
}

TEST(HeavyMetrics, AreServedTenThousandTimesWithoutGrowing) {
  TestDatabase database;
  const Scraped scraped("api", environment_of(database));
  for (int i = 0; i < 500; ++i) Scrape(scraped.port);
  const Scrape before(scraped.port);
  for (int i = 0; i < 9'500; ++i) exchange(scraped.port, {"GET", "/metrics", {}, ""});
  const Scrape after(scraped.port);
  EXPECT_EQ(after.series(), before.series());
  EXPECT_LT(after.value("process_open_fds").value_or(1000), before.value("process_open_fds").value_or(0) + 5);
  EXPECT_LT(after.value("process_resident_memory_bytes").value_or(1e12),
            before.value("process_resident_memory_bytes").value_or(0) + 4'000'000);
}

}  // namespace
}  // namespace rocket::spec
