// Answers HTTP requests, advancing each through its phases.

#include <cstdint>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "api/laboratory.h"
#include "api/operators.h"
#include "api/options.h"
#include "api/readiness.h"
#include "api/request_metrics.h"
#include "rocket/base/host.h"
#include "rocket/base/log.h"
#include "rocket/endpoints/all.h"
#include "rocket/idempotency/engine.h"
#include "rocket/idempotency/flow.h"
#include "rocket/metrics/exposer.h"
#include "rocket/metrics/registry.h"
#include "rocket/metrics/values.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/payments/observed_gateway.h"
#include "rocket/payments/provider.h"
#include "rocket/pg/lanes.h"
#include "rocket/process/database_settings.h"
#include "rocket/process/host_name.h"
#include "rocket/process/program.h"
#include "rocket/process/release_leases.h"
#include "rocket/process/stop_signal.h"
#include "rocket/work_metrics/work_metrics.h"

namespace {

using namespace rocket;

// The time that requests have to end when the process is told to stop. Then the leases of unfinished requests
// are released.
constexpr std::chrono::seconds kDrainTime{6};

// For psql: each is ready for EXECUTE, or for EXPLAIN.
int print_statements(const api::Options& options) {
  const auto gateway = payments::make_gateway(options.provider);
  const endpoints::Endpoints endpoints = endpoints::all_endpoints(*gateway, options.rides);
  for (const pg::Statement& each : endpoints.statements()) {
    std::cout << "PREPARE \"" << each.name << "\" AS" << each.sql << ";\n\n";
  }
  return 0;
}

std::vector<prometheus::MetricFamily> metrics_of(const api::Server& server) {
  return {metrics::gauge("rocket_http_connections", "Open connections of clients.",
                         static_cast<double>(server.connections())),
          metrics::gauge("rocket_http_requests_in_flight",
                         "Requests whose answers are not in the hands of the kernel yet.",
                         static_cast<double>(server.unfinished()))};
}

void serve(const api::Options& options, process::StopSignal& stop) {
  const Log log("api", options.log);
  for (const api::Danger& danger : api::dangers_of(api::surroundings_of(options))) {
    log.warn("unsafe", {{"danger", danger.name}}, "started in spite of a danger that was allowed: {danger}");
  }
  metrics::Registry registry("api", log);
  const auto lane_count = static_cast<std::size_t>(options.database.lanes);
  WorkMetrics work_metrics(registry, lane_count);
  api::RequestMetrics request_metrics(registry);
  const auto gateway = payments::make_gateway(options.provider);
  payments::ObservedGateway observed(*gateway, work_metrics);
  payments::CircuitBreaker provider(observed, options.provider.circuit, log);
  work_metrics.add(provider);
  const endpoints::Endpoints endpoints = endpoints::all_endpoints(provider, options.rides);
  work_metrics.add(endpoints);
  idempotency::EngineOptions engine_options = options.engine;
  engine_options.worker = {"api", process::host_name()};
  const idempotency::Engine engine(std::move(engine_options), log, &work_metrics);
  pg::LaneOptions lane_options = options.database.lane_options("api");
  lane_options.observer = &work_metrics;
  pg::Lanes lanes(lane_count, lane_options, log);
  std::unique_ptr<api::Laboratory> laboratory;
  if (options.laboratory) {
    laboratory = std::make_unique<api::Laboratory>(
        options.database.lane_options("lab"), engine, provider,
        api::LaboratoryOptions{options.provider.gateway == "mock", options.provider.mock.ledger,
                               options.rides, options.service.mutations},
        log);
  }
  const bool emails_may_operate =
      options.service.auth == api::AuthMode::kEmail && !api::surroundings_of(options).is_public;
  api::Operators operators(options.database.lane_options("ops"), emails_may_operate, engine.lease_time(),
                           provider, request_metrics, log);
  // The first requests should not be refused only because connecting takes a moment.
  lanes.wait_for_first_attempts();
  api::Readiness readiness(api::statements_of(endpoints), log);
  readiness.check_at_start(lanes.at(0));
  api::Service service(lanes, engine, endpoints, provider, readiness, operators, laboratory.get(),
                       request_metrics, log, options.service);
  // Stops the lanes before anything that runs on them loses what it uses, also when the server cannot start,
  // for example because its port is taken.
  const std::unique_ptr<pg::Lanes, void (*)(pg::Lanes*)> stopped_first(&lanes,
                                                                       [](pg::Lanes* each) { each->stop(); });
  api::Server server(
      options.server,
      [&service](api::HttpRequest request, api::ConnectionId from,
                 const std::shared_ptr<api::ResponseQueue>& responses) {
        return service.handle(std::move(request), from, responses);
      },
      [&service](const api::RequestReader::ProtocolError& refused, const api::HttpRequest& begun) {
        return service.refuse(refused, begun);
      });
  registry.add([&server] { return metrics_of(server); });
  const std::unique_ptr<metrics::Exposer> exposer = metrics::expose(options.metrics, registry, log);
  log.info("listening", {{"address", url_host(options.server.address)},
                         {"max_connections", server.max_connections()},
                         {"port", server.port()}});

  stop.wait();
  service.stop();
  log.info("stopping", {},
           "stopping: no new requests; those under way, " + std::to_string(server.unfinished()) + ", have " +
               std::to_string(kDrainTime.count()) + " s to end");
  const bool is_drained = server.drain(kDrainTime);
  // This includes keys whose requests have ended without an answer and that are still to be released.
  process::release_leases(engine, lanes.enter().lane(), log);
  operators.stop();
  if (laboratory) laboratory->stop();
  lanes.stop();
  log.info(
      "stopped", {},
      is_drained ? "stopped: every request has its answer" : "stopped: not every request has its answer");
}

int run(const api::Options& options, process::StopSignal& stop) {
  if (options.print_statements) return print_statements(options);
  if (options.users.is_asked()) {
    return options.users.run(options.database.owner_connection_options("api"), options.provider);
  }
  serve(options, stop);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<api::Options>("api", argc, argv, api::read_options, run);
}
