#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spec/fault/provider_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/monitoring_files.h"
#include "spec/support/prometheus_server.h"
#include "spec/support/redis_server.h"
#include "spec/support/scrape.h"

// docs/monitoring with the real processes, under a simulator's traffic, scraped by a real Prometheus.
namespace rocket::spec {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

// The slowest of these alerts fires after 15 seconds of a value that the process learns within 5, or of a
// rate over 6. The rest is for slow machines.
constexpr seconds kLimit{90};

// All series that an expression looks at.
std::set<std::string> selectors_in(const std::string& expression) {
  const std::regex selector("\\b((?:rocket_|process_|up\\b)\\w*(?:\\{[^}]*\\})?)");
  std::set<std::string> found;
  for (std::sregex_iterator each(expression.begin(), expression.end(), selector), end; each != end; ++each) {
    found.insert((*each)[1].str());
  }
  return found;
}

// The expression with 0 or 1 instead of nothing where its comparison does not hold.
std::string without_thresholds(const std::string& expression) {
  return std::regex_replace(expression, std::regex(" (==|>|<) "), " $1 bool ");
}

class HeavyMonitoring : public Provider {
 protected:
  HeavyMonitoring() {
    for (const char* process : {"api", "completer", "enqueuer", "reaper", "simulator"}) {
      ports_[std::string("rocket-") + process] = free_port();
    }
    api_.emplace(database_, scraped("api", environment()));
    start_completer();
    enqueuer_.emplace("enqueuer", scraped("enqueuer", {{"JOB_QUEUE", redis_.url()}}));
    reaper_.emplace("reaper", scraped("reaper"));
    simulator_.emplace("simulator", scraped("simulator", {{"LOG_LEVEL", "warn"}}),
                       std::vector<std::string>{"--url", api_->url(), "--rate", "40", "--duration", "0"});
    prometheus_.emplace(ports_);
  }

  void start_completer() { completer_.emplace("completer", scraped("completer", environment())); }

  // The environment of a process that serves its metrics.
  Environment scraped(const std::string& process, Environment more = {}) const {
    more["DATABASE_URL"] = database_.url();
    return with_metrics(std::move(more), ports_.at("rocket-" + process));
  }

  bool has_data(const std::string& expression) const { return prometheus_->count(expression) > 0; }

  void expect_to_fire(const std::string& alert, const std::string& labels = {}) const {
    EXPECT_TRUE(eventually([&] { return prometheus_->fires(alert, labels); }, kLimit))
        << alert << " does not fire; " << testing::PrintToString(prometheus_->firing()) << " do";
  }
  void expect_to_end(const std::string& alert) const {
    EXPECT_TRUE(eventually([&] { return !prometheus_->fires(alert); }, kLimit)) << alert << " does not end";
  }

  // The request of a client that left an hour ago, which completers have tried for the last time.
  void abandon_a_request_for_good() {
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params, created_at, last_run_at, recovery_point, completions) "
        "SELECT gen_random_uuid(), 1, $1, 'POST', '/rides', '{}', at, at, 'started', 1000 "
        "FROM (SELECT now() - interval '2 hours' AS at) made",
        {key_});
  }
  // As if the queue had refused them for an hour.
  void stage_old_jobs() {
    database_.execute(
        "INSERT INTO staged_jobs (job_name, job_args, created_at) "
        "SELECT 'send_ride_receipt', '{}', now() - interval '1 hour' FROM generate_series(1, 10)");
  }

  RedisServer redis_;
  std::map<std::string, std::uint16_t> ports_;
  std::optional<ApiProcess> api_;
  std::optional<ChildProcess> completer_;
  std::optional<ChildProcess> enqueuer_;
  std::optional<ChildProcess> reaper_;
  std::optional<ChildProcess> simulator_;
  std::optional<PrometheusServer> prometheus_;
};

TEST_F(HeavyMonitoring, HasDataForEveryExpressionOfTheAlertsAndOfTheDashboard) {
  std::vector<PanelQuery> expressions = dashboard_queries("6s");
  const auto rules = prometheus_->rules();
  EXPECT_EQ(rules.size(), alert_rules().size());
  for (const auto& [alert, expression] : rules) {
    expressions.push_back({alert, without_thresholds(expression)});
    for (const std::string& selector : selectors_in(expression)) expressions.push_back({alert, selector});
  }
  // The dashboard also lists the alerts that fire.
  abandon_a_request_for_good();
  const bool all_have_data = eventually(
      [&] {
        std::erase_if(expressions, [&](const PanelQuery& each) { return has_data(each.expression); });
        return expressions.empty();
      },
      kLimit);
  EXPECT_TRUE(all_have_data);
  for (const auto& [place, expression] : expressions) ADD_FAILURE() << place << ": " << expression;
}

TEST_F(HeavyMonitoring, IsSilentWhileNothingIsWrong) {
  abandon_a_request_for_good();
  expect_to_fire("RocketKeyParked");
  // After so many evaluations, each alert that waits for up to five minutes would fire too.
  const std::string evaluations = "count_over_time(ALERTS{alertname=\"RocketKeyParked\"}[60s])";
  EXPECT_TRUE(eventually([&] { return has_data(evaluations + " > 24"); }, kLimit));
  std::set<std::string> firing = prometheus_->firing();
  // The simulator asks for about as many failures as this alert permits.
  firing.erase("RocketRequestsFail");
  EXPECT_THAT(firing, ElementsAre("RocketKeyParked"));
}

TEST_F(HeavyMonitoring, TellsOfADeadProviderAFullQueueAParkedKeyAndAStoppedCompleter) {
  provider_.fail("kind=reset&times=20000");
  redis_.ask({"CONFIG", "SET", "maxmemory", "1"});
  stage_old_jobs();
  enqueuer_->wait_for_line("OOM");
  abandon_a_request_for_good();
  expect_to_fire("RocketKeyParked");
  expect_to_fire("RocketProviderFails", "job=\"rocket-api\"");
  expect_to_fire("RocketRequestsFail");
  expect_to_fire("RocketJobsWait");

  redis_.ask({"CONFIG", "SET", "maxmemory", "0"});
  provider_.heal();
  expect_good_end(*completer_);
  expect_to_fire("RocketWorkerDown", "job=\"rocket-completer\"");
  EXPECT_FALSE(prometheus_->fires("RocketKeyParked")) << "only a completer knows of parked keys";
  expect_to_end("RocketJobsWait");
  expect_to_end("RocketProviderFails");
  start_completer();
  expect_to_end("RocketWorkerDown");
  expect_to_fire("RocketKeyParked");
}

}  // namespace
}  // namespace rocket::spec
