// Sends random traffic to the api, and checks the results.

#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "rocket/base/log.h"
#include "rocket/endpoints/all.h"
#include "rocket/http/library.h"
#include "rocket/metrics/exposer.h"
#include "rocket/metrics/registry.h"
#include "rocket/metrics/values.h"
#include "rocket/payments/mock_gateway.h"
#include "rocket/process/program.h"
#include "rocket/process/stop_signal.h"
#include "simulator/database.h"
#include "simulator/options.h"
#include "simulator/pacer.h"
#include "simulator/statistics.h"
#include "simulator/traffic.h"
#include "simulator/traffic_metrics.h"
#include "simulator/users.h"
#include "simulator/verification.h"
#include "simulator/witness.h"

namespace {

using namespace rocket;
using namespace rocket::simulator;

// Answers kept for the verification; a run that is not verified needs none.
constexpr std::size_t kMaxRememberedAnswers = 200'000;

VerificationOptions verification_options(const Options& options) {
  return {.limits = {.lease_time = options.lease_time,
                     .completer_grace = options.completer_grace,
                     .completer_pause = options.completer_pause,
                     .completer_longest_pause = options.completer_longest_pause,
                     .key_retention = options.key_retention,
                     .due_with_charge = options.settle,
                     .due = options.overdue},
          .settle = options.settle,
          .ledger = options.ledger,
          .max_named = static_cast<std::size_t>(options.max_named)};
}

// Prints the progress again and again while the thread lives, and once at its end.
std::jthread print_progress(const Options& options, const Statistics& statistics, const Log& report) {
  if (options.progress.count() == 0) return {};
  return std::jthread([&options, &statistics, &report](const std::stop_token& stop) {
    while (pause(stop, options.progress)) statistics.print_progress(report);
    statistics.print_progress(report);
  });
}

void send(const Options& options, Database* database, const Log& log, const Log& report, Witness& witness,
          StatisticsObserver& observer, process::StopSignal& stop) {
  if (database == nullptr) log.info("no users of our own: DATABASE_URL is not set");
  const Users users = database != nullptr ? create_users(*database, options.users) : standard_users();
  // The stop may have come while create_users waited for the database, for example.
  if (stop.requested()) return;
  log.info("started", {{"url", options.url},
                       {"seed", options.seed},
                       {"rate", options.rate},
                       {"concurrency", options.concurrency},
                       {"users", users.paying.size()}});
  Statistics statistics(&observer);
  {
    const std::jthread progress = print_progress(options, statistics, report);
    send_traffic(options, users, log, stop, statistics, witness);
  }
  statistics.print(report);
  report.info("violations", {{"count", witness.violations()}});
}

// Returns the exit status.
int simulate(const Options& options, process::StopSignal& stop) {
  const http::Library http;
  const Log log("simulator", options.log);
  // The result of a run is always shown, whatever the log level.
  const Log report = log.with_info();
  std::optional<Database> database;
  if (const std::string& url = options.database.for_work(); !url.empty()) database.emplace(url, log, stop);
  Witness witness(log, options.verifies() ? kMaxRememberedAnswers : 0);

  if (!options.verify_only) {
    metrics::Registry registry("simulator", log);
    TrafficMetrics traffic_metrics(registry);
    registry.add([&witness] {
      return std::vector{metrics::counter("rocket_simulator_violations_total",
                                          "Answers that broke a promise of the api.",
                                          static_cast<double>(witness.violations()))};
    });
    const auto exposer = metrics::expose(options.metrics, registry, log);
    send(options, database ? &*database : nullptr, log, report, witness, traffic_metrics, stop);
  }
  int broken = 0;
  if (options.verifies()) {
    // They only describe what there is to check.
    payments::MockGateway gateway{{}};
    const endpoints::Endpoints endpoints = endpoints::all_endpoints(gateway, {});
    Verification verification(*database, endpoints, verification_options(options), report, stop);
    const std::optional<int> found = verification.run(witness.acknowledged());
    if (!found) report.warn("not verified to the end: told to stop");
    broken = found.value_or(0);
  }
  return witness.violations() + broken > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<Options>("simulator", argc, argv, read_options, simulate);
}
