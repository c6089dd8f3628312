// Finishes requests that were abandoned half-way, or runs a command of an operator.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "completer/abandoned_keys.h"
#include "completer/completer.h"
#include "completer/completion_metrics.h"
#include "completer/key_counts.h"
#include "completer/operator_commands.h"
#include "rocket/base/log.h"
#include "rocket/base/settings.h"
#include "rocket/endpoints/all.h"
#include "rocket/idempotency/engine.h"
#include "rocket/idempotency/flow.h"
#include "rocket/idempotency/keys.h"
#include "rocket/metrics/database_values.h"
#include "rocket/metrics/exposer.h"
#include "rocket/metrics/registry.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/payments/observed_gateway.h"
#include "rocket/payments/provider.h"
#include "rocket/pg/lanes.h"
#include "rocket/process/database_check.h"
#include "rocket/process/database_settings.h"
#include "rocket/process/host_name.h"
#include "rocket/process/periodic_query.h"
#include "rocket/process/program.h"
#include "rocket/process/release_leases.h"
#include "rocket/process/stop_signal.h"
#include "rocket/process/worker_loop.h"
#include "rocket/work_metrics/work_metrics.h"

namespace {

using namespace rocket;

struct Options {
  LogOptions log;
  metrics::ExposerOptions metrics{.port = 9402};
  process::DatabaseSettings database{.urls = {}, .lanes = 2};
  completer::AbandonmentPolicy policy;
  process::WorkerLoop loop;
  endpoints::RideOptions rides;
  payments::ProviderOptions provider;
  completer::OperatorCommands operators;
};

std::optional<int> read_options(int argc, char** argv, Options& options) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  constexpr seconds kYear(366 * 86400);
  Settings settings("completer", "finishes requests that were abandoned half-way");
  options.operators.add_to(settings);
  settings.add("grace", {"COMPLETER_GRACE_S"}, "age from which an unfinished key counts as abandoned",
               options.policy.grace, seconds(0), kYear);
  settings.add("pause", {"COMPLETER_PAUSE_S"},
               "time since the last attempt; doubles with each of its attempts", options.policy.pause,
               seconds(0), kYear);
  settings.add("longest-pause", {"COMPLETER_LONGEST_PAUSE_S"}, "where the doubling ends",
               options.policy.longest_pause, seconds(0), kYear);
  settings.add("most-attempts", {"COMPLETER_MOST_ATTEMPTS"}, "attempts",
               "attempts of completers after which a key is parked", options.policy.max_completions, 1, 1000);
  settings.add("batch", {"COMPLETER_BATCH"}, "keys", "keys worked on at once", options.loop.full_batch, 1,
               10'000);
  settings.add("idle", {"COMPLETER_IDLE_MS"}, "pause when there is nothing to do", options.loop.idle,
               milliseconds(1), milliseconds(3'600'000));
  settings.add("charge-repeat-limit", {"CHARGE_REPEAT_LIMIT_S"},
               "age from which a charge or refund is looked up instead of repeated",
               options.rides.charge_repeat_limit, seconds(1), kYear);
  options.provider.add_to(settings);
  options.database.add_to(settings);
  options.database.add_lanes_to(settings);
  options.metrics.add_to(settings);
  options.log.add_to(settings);
  return settings.read(argc, argv);
}

std::vector<pg::Statement> statements_of(const endpoints::Endpoints& endpoints) {
  std::vector<pg::Statement> all = endpoints.statements_after_claim();
  for (const auto& more : {idempotency::key_statements(), completer::taking_statements()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  all.push_back(*completer::count_keys().statement);
  return all;
}

// All recovery points at which a key can be unfinished.
std::vector<std::string> recovery_points_of(const endpoints::Endpoints& endpoints) {
  std::vector<std::string> points;
  for (const endpoints::Endpoint& endpoint : endpoints) {
    for (const idempotency::Step& step : endpoint.flow.steps()) points.emplace_back(step.recovery_point);
  }
  return points;
}

void work(const Options& options, process::StopSignal& stop) {
  const Log log("completer", options.log);
  metrics::Registry registry("completer", log);
  const auto lane_count = static_cast<std::size_t>(options.database.lanes);
  WorkMetrics work_metrics(registry, lane_count);
  completer::CompletionMetrics completions(registry);
  const auto gateway = payments::make_gateway(options.provider);
  payments::ObservedGateway observed(*gateway, work_metrics);
  payments::CircuitBreaker provider(observed, options.provider.circuit, log);
  work_metrics.add(provider);
  const endpoints::Endpoints endpoints = endpoints::all_endpoints(provider, options.rides);
  work_metrics.add(endpoints);
  const idempotency::Engine engine(
      {.lease_time = options.policy.lease_time, .worker = {"completer", process::host_name()}}, log,
      &work_metrics);
  pg::LaneOptions lane_options = options.database.lane_options("completer");
  lane_options.observer = &work_metrics;
  pg::Lanes lanes(lane_count, lane_options, log);
  completer::Completer completer(lanes, engine, endpoints, log, options.policy, options.loop.full_batch,
                                 completions);
  metrics::DatabaseValues key_counts(registry);
  const std::unique_ptr<metrics::Exposer> exposer = metrics::expose(options.metrics, registry, log);
  std::optional<process::PeriodicQuery> question;
  if (exposer) {
    question.emplace(options.database.connection_options("completer"), completer::count_keys(),
                     metrics::DatabaseValues::kInterval, log,
                     [&, points = recovery_points_of(endpoints)](const pg::Result* counted) {
                       if (counted == nullptr) return key_counts.not_answered();
                       key_counts.answered(completer::key_counts(*counted, points));
                     });
  }
  log.info("started", {{"grace_s", options.policy.grace.count()}},
           "started; completes requests that are unfinished after {grace_s} s");
  process::DatabaseCheck database(options.database.connection_options("completer"), statements_of(endpoints));
  options.loop.run(stop, log, [&] { return database.run([&] { return completer.run_once(stop); }); });

  process::release_leases(completer, lanes.enter().lane(), log);
  lanes.stop();
  log.info("stopped", {}, "stopped; what was under way is finished or released");
}

int run(const Options& options, process::StopSignal& stop) {
  if (options.operators.is_asked()) {
    return options.operators.run(options.database.connection_options("completer"), options.policy.lease_time);
  }
  work(options, stop);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<Options>("completer", argc, argv, read_options, run);
}
