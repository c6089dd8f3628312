#pragma once

#include <array>
#include <asio/awaitable.hpp>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/admission.h"
#include "api/client_address.h"
#include "api/cors.h"
#include "api/failure.h"
#include "api/laboratory.h"
#include "api/mutations.h"
#include "api/pages.h"
#include "api/readiness.h"
#include "api/request_context.h"
#include "api/request_reader.h"
#include "api/response_queue.h"
#include "base/log.h"
#include "endpoints/endpoint.h"
#include "http/path_pattern.h"
#include "idempotency/engine.h"
#include "payments/circuit_breaker.h"
#include "pg/lanes.h"

namespace rocket::api {

struct ServiceOptions {
  AdmissionOptions admission;
  TrustedProxies proxies;
  CorsPolicy cors;
  // Must be what the reaper uses, for the expiry that clients are shown.
  std::chrono::seconds key_retention{std::chrono::hours(72)};
  MutationOptions mutations;
};

// Which code answers which request.
class Service {
 public:
  // Everything passed must outlive the service, and the service every request that it was given.
  // `laboratory` may be null: then there is none.
  Service(pg::Lanes& lanes, const idempotency::Engine& engine, const endpoints::Endpoints& endpoints,
          const payments::CircuitBreaker& provider, Readiness& readiness, Laboratory* laboratory,
          const Log& log, const ServiceOptions& options);

  // What needs no database is answered at once. Otherwise nothing is returned, and the answer goes to the
  // responses. Thread safe, does not block, does not throw.
  std::optional<SerializedResponse> handle(HttpRequest request, ConnectionId from,
                                           std::shared_ptr<ResponseQueue> responses);

  // The answer to bytes that are no request, or no whole one: to its fields, as far as they have come.
  SerializedResponse refuse(const RequestReader::ProtocolError& refused, const HttpRequest& begun) const;

  // From now on everything is refused with 503.
  void stop() { stopping_ = true; }

 private:
  using Handler = std::function<asio::awaitable<HttpResponse>(pg::Lane&, const RequestContext&)>;
  struct Route {
    std::string method;
    http::PathPattern path;
    Handler handler;
    // Instead of a handler, for what needs no database: the answer at once. Nothing: there is no such thing.
    std::function<std::optional<HttpResponse>(const HttpRequest&)> answer_at_once{};
    // Runs on the laboratory's lane, so that it takes nothing from the others.
    bool in_laboratory = false;
    // Needs no place in the line.
    bool outside_line = false;
    bool calls_provider = false;
  };
  struct Answering;

  HttpResponse nothing_here(const RequestContext& context) const;
  const Route* find_route(RequestContext& context, std::string& allowed) const;
  asio::awaitable<void> answer(pg::Lane& lane, const Route& route, std::unique_ptr<Answering> answering);
  SerializedResponse finish(const Answering& answering, const HttpResponse& response) const;

  pg::Lanes& lanes_;
  Readiness& readiness_;
  Laboratory* laboratory_;
  const Log& log_;
  ServiceOptions options_;
  Pages pages_;
  std::vector<Route> routes_;
  Admission admission_;
  // Each plain and as a problem; made once, because refusing must cost little when there is too much to do.
  std::array<HttpResponse, 2> overloaded_;
  std::array<HttpResponse, 2> too_many_requests_;
  std::atomic<bool> stopping_{false};
};

}  // namespace rocket::api
