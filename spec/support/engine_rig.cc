#include "spec/support/engine_rig.h"

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <stdexcept>
#include <utility>
#include <variant>

#include "rocket/endpoints/all.h"
#include "spec/support/connected_lanes.h"

namespace rocket::spec {
namespace {

pg::LaneOptions lane_options(const std::string& url, std::size_t batch_limit,
                             std::chrono::milliseconds transaction_timeout) {
  pg::LaneOptions options;
  options.connection.url = url;
  options.connection.application_name = "rocket-rides spec";
  options.batch_limit = batch_limit;
  options.connection.transaction_timeout = transaction_timeout;
  // Long enough for a machine that is busy with other specs.
  options.connect_patience = std::chrono::seconds(20);
  return options;
}

}  // namespace

EngineRig::EngineRig(const TestDatabase& database, RigOptions options)
    : EngineRig(database.url(), std::move(options)) {
  wait_until_connected(lanes_);
}

EngineRig::EngineRig(const std::string& database_url, RigOptions options)
    : EngineRig(database_url, std::move(options), std::chrono::seconds(20)) {}

EngineRig::EngineRig(const std::string& database_url, RigOptions options,
                     std::chrono::milliseconds transaction_timeout)
    : endpoints_(endpoints::all_endpoints(gateway_, options.rides)),
      engine_(options.engine, log_),
      lanes_(options.lanes, lane_options(database_url, options.batch_limit, transaction_timeout), log_) {}

const idempotency::Flow& EngineRig::flow(const std::string& path, const std::string& method) const {
  const endpoints::Endpoint* found = endpoints_.find(method, path);
  if (found == nullptr) throw std::runtime_error("no endpoint " + method + ' ' + path);
  return found->flow;
}

std::future<idempotency::Outcome> EngineRig::start(idempotency::Request request, std::size_t lane_index) {
  pg::Lane& chosen = lane(lane_index);
  const idempotency::Flow& chosen_flow = flow(request.path, request.method);
  return asio::co_spawn(chosen.executor(), engine_.run(chosen, chosen_flow, std::move(request)),
                        asio::use_future);
}

idempotency::Outcome EngineRig::run(idempotency::Request request, std::size_t lane_index) {
  auto attempt = start(std::move(request), lane_index);
  return answer_of(attempt);
}

idempotency::Outcome answer_of(std::future<idempotency::Outcome>& attempt) {
  if (attempt.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
    throw std::runtime_error("the attempt does not end");
  }
  return attempt.get();
}

std::string describe(const idempotency::Outcome& outcome) {
  if (const auto* response = std::get_if<idempotency::Response>(&outcome)) {
    return std::to_string(response->status) + (response->replayed ? " replayed" : "");
  }
  using idempotency::RefusalKind;
  switch (std::get<idempotency::Refusal>(outcome).kind) {
    case RefusalKind::kUnknownOwner:
      return "unknown_owner";
    case RefusalKind::kKeyReused:
      return "key_reused";
    case RefusalKind::kInProgress:
      return "in_progress";
    case RefusalKind::kParked:
      return "parked";
    case RefusalKind::kForeignUnavailable:
      return "foreign_unavailable";
    case RefusalKind::kDatabaseUnavailable:
      return "database_unavailable";
    case RefusalKind::kInternal:
      return "internal";
  }
  return "?";
}

std::string body_of(const idempotency::Outcome& outcome) {
  const auto* response = std::get_if<idempotency::Response>(&outcome);
  return response == nullptr ? "" : response->body;
}

}  // namespace rocket::spec
