// Answers HTTP requests, advancing each through its phases.

#include <cstdint>
#include <memory>

#include "api/laboratory.h"
#include "api/server.h"
#include "api/service.h"
#include "base/log.h"
#include "base/settings.h"
#include "endpoints/all.h"
#include "idempotency/engine.h"
#include "idempotency/flow.h"
#include "payments/circuit_breaker.h"
#include "payments/provider.h"
#include "pg/lanes.h"
#include "process/database_settings.h"
#include "process/hand_back.h"
#include "process/program.h"
#include "process/stop_signal.h"

namespace {

using namespace rocket;

// For requests to end when told to stop; what is left then is handed back.
constexpr std::chrono::seconds kDrainTime{6};

struct Options {
  LogOptions log;
  // While the database is away, a client is to know within two seconds.
  process::DatabaseSettings database{.url = {}, .timeout = std::chrono::milliseconds(1200), .lanes = 2};
  api::ServerOptions server;
  std::int64_t port = 5000;
  std::int64_t server_threads = 1;
  api::ServiceOptions service;
  std::int64_t key_reused_status = 409;
  idempotency::EngineOptions engine;
  endpoints::RideOptions rides;
  payments::ProviderOptions provider;
  bool laboratory = false;
};

std::optional<int> read_options(int argc, char** argv, Options& options) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  Settings settings("api", "answers requests, advancing each through its phases");
  settings.add("bind", {"API_BIND"}, "address to listen on", options.server.address);
  settings.add("port", {"API_PORT", "PORT"}, "", "port to listen on; 0 takes any free one", options.port, 0,
               65535);
  settings.add("threads", {"API_THREADS"}, "threads", "threads that read and write HTTP",
               options.server_threads, 1, 64);
  settings.add("line-limit", {"API_LINE_LIMIT"}, "requests",
               "requests under way at once; more are refused with 503", options.service.line_limit, 1,
               1'000'000);
  settings.add("request-timeout", {"API_REQUEST_TIMEOUT_MS"}, "time for a client to send a request",
               options.server.transport.request_timeout, milliseconds(100), milliseconds(600'000));
  settings.add("idle-timeout", {"API_IDLE_TIMEOUT_MS"}, "time between two requests of a connection",
               options.server.transport.idle_timeout, milliseconds(100), milliseconds(3'600'000));
  settings.add("key-reused-status", {"KEY_REUSED_STATUS"}, "409 or 422",
               "answer when a key comes back with another request", options.key_reused_status, 409, 422);
  settings.add("key-retention", {"KEY_RETENTION_S"}, "how long the reaper keeps finished keys",
               options.service.key_retention, seconds(60), seconds(366 * 86400));
  settings.add("charge-repeat-limit", {"CHARGE_REPEAT_LIMIT_S"},
               "age from which a charge or refund is looked up instead of repeated",
               options.rides.charge_repeat_limit, seconds(1), seconds(366 * 86400));
  settings.add("lab", {"LAB"}, "serve /lab, where everybody's requests can be seen", options.laboratory);
  options.provider.add_to(settings);
  options.database.add_to(settings);
  options.database.add_lanes_to(settings);
  options.log.add_to(settings);
  settings.require([&]() -> std::optional<std::string> {
    if (options.key_reused_status == 409 || options.key_reused_status == 422) return std::nullopt;
    return "KEY_REUSED_STATUS must be 409 or 422";
  });
  if (auto exit_status = settings.read(argc, argv)) return exit_status;
  options.server.port = static_cast<std::uint16_t>(options.port);
  options.server.threads = static_cast<std::size_t>(options.server_threads);
  options.service.mutations.key_reused_status = static_cast<int>(options.key_reused_status);
  return std::nullopt;
}

void serve(const Options& options, process::StopSignal& stop) {
  const Log log("api", options.log);
  const auto gateway = payments::make_gateway(options.provider);
  payments::CircuitBreaker provider(*gateway, options.provider.circuit, log);
  const idempotency::Flows flows = endpoints::all_flows(provider, options.rides);
  const idempotency::Engine engine(options.engine, log);
  pg::Lanes lanes(static_cast<std::size_t>(options.database.lanes), options.database.lane_options("api"),
                  log);
  std::unique_ptr<api::Laboratory> laboratory;
  if (options.laboratory) {
    laboratory = std::make_unique<api::Laboratory>(
        options.database.lane_options("lab"), engine, provider,
        api::LaboratoryOptions{options.provider.gateway == "mock", options.provider.mock.ledger,
                               options.rides, options.service.mutations},
        log);
  }
  api::Service service(lanes, engine, flows, provider, laboratory.get(), log, options.service);
  api::Server server(
      options.server,
      [&service](api::HttpRequest request, api::ConnectionId from,
                 const std::shared_ptr<api::Outbox>& outbox) {
        return service.handle(std::move(request), from, outbox);
      },
      api::render_refused);
  log.info("listening", {{"address", options.server.address}, {"port", server.port()}});

  stop.wait();
  service.stop();
  log.info("stopping");
  if (!server.drain(kDrainTime)) process::hand_back(engine, lanes.enter().lane(), log);
  if (laboratory) laboratory->stop();
  lanes.stop();
  log.info("stopped");
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<Options>("api", argc, argv, read_options, serve);
}
