#pragma once

#include <array>
#include <asio/awaitable.hpp>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/admission.h"
#include "api/allowed_hosts.h"
#include "api/answer_log.h"
#include "api/answering.h"
#include "api/client_address.h"
#include "api/cors.h"
#include "api/credentials.h"
#include "api/failure.h"
#include "api/laboratory.h"
#include "api/limiter.h"
#include "api/mutations.h"
#include "api/operators.h"
#include "api/pages.h"
#include "api/rate_limits.h"
#include "api/readiness.h"
#include "api/request_context.h"
#include "api/request_metrics.h"
#include "api/request_reader.h"
#include "api/response_queue.h"
#include "api/routes.h"
#include "api/waiting_duplicates.h"
#include "rocket/base/log.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/idempotency/engine.h"
#include "rocket/idempotency/times.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/pg/lanes.h"

namespace rocket::api {

struct ServiceOptions {
  AuthMode auth = AuthMode::kToken;
  AdmissionOptions admission;
  RateLimitOptions limits;
  TrustedProxies proxies;
  CorsPolicy cors;
  AllowedHosts hosts;
  // How long browsers must reach this host by TLS only (RFC 6797). 0: they are told nothing.
  std::chrono::seconds hsts{0};
  // Must be the same as for the reaper, because clients are shown when their keys expire.
  std::chrono::seconds key_retention = idempotency::kKeyRetention;
  MutationOptions mutations;
};

// Decides which code answers which request.
class Service {
 public:
  // Everything passed must outlive the service. The service must outlive every request that it was given.
  // `laboratory` may be null: then there is none.
  Service(pg::Lanes& lanes, const idempotency::Engine& engine, const endpoints::Endpoints& endpoints,
          const payments::CircuitBreaker& provider, Readiness& readiness, Operators& operators,
          Laboratory* laboratory, RequestMetrics& metrics, const Log& log, const ServiceOptions& options);

  // Returns the answer if the request needs no database. Otherwise returns nullopt, and posts the answer to
  // `responses` later. Thread safe, does not block, does not throw.
  std::optional<SerializedResponse> handle(HttpRequest request, ConnectionId from,
                                           std::shared_ptr<ResponseQueue> responses);

  // The answer to bytes that are no request, or only a part of one. `begun` has the fields that have come so
  // far.
  SerializedResponse refuse(const RequestReader::ProtocolError& refused, const HttpRequest& begun);

  // From now on every request that needs the database is refused with 503, and none waits for another one.
  void stop();

 private:
  HttpResponse nothing_here(const RequestContext& context) const;
  void begin(std::unique_ptr<Answering> answering);
  asio::awaitable<void> answer(pg::Lane& lane, const Route& route, std::unique_ptr<Answering> answering);
  asio::awaitable<void> identify_user(pg::Lane& lane, const Route& route, Answering& answering);
  static bool waits(Answering& answering, const HttpResponse& response);
  void wait(std::unique_ptr<Answering> answering, const std::string& key_id);
  void end_wait(std::unique_ptr<Answering> answering, std::optional<idempotency::Outcome> known);
  void post(std::unique_ptr<Answering> answering, HttpResponse response);
  Admission& admission_of(const Route& route) {
    return route.is_for_operators ? operators_admission_ : admission_;
  }
  HttpResponse render_exception(const std::exception_ptr& error, const RequestContext& context) const;
  SerializedResponse finish(const Answering& answering, const HttpResponse& response);

  pg::Lanes& lanes_;
  Readiness& readiness_;
  RequestMetrics& metrics_;
  const Log& log_;
  ServiceOptions options_;
  // Fields of every answer.
  std::string common_fields_;
  Pages pages_;
  std::vector<Route> routes_;
  Admission admission_;
  Admission operators_admission_;
  Limiter limiter_;
  AnswerLog answer_log_;
  // Each answer plain and as a problem. They are rendered once, because refusing must cost little under
  // overload.
  std::array<HttpResponse, 2> overloaded_;
  std::array<HttpResponse, 2> too_many_requests_;
  std::atomic<bool> stopping_{false};
  // Its requests hold slots of the admission, so it is destroyed first.
  WaitingDuplicates waiting_;
};

}  // namespace rocket::api
