#pragma once

#include <array>
#include <asio/awaitable.hpp>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/exchange.h"
#include "api/failure.h"
#include "api/laboratory.h"
#include "api/mutations.h"
#include "api/outbox.h"
#include "api/pages.h"
#include "api/request_reader.h"
#include "base/log.h"
#include "idempotency/engine.h"
#include "idempotency/flow.h"
#include "payments/circuit_breaker.h"
#include "pg/lanes.h"

namespace rocket::api {

struct ServiceOptions {
  // Requests that may be under way at once; the next one is refused at once.
  std::int64_t line_limit = 2048;
  // Must be what the reaper uses, for the expiry that clients are shown.
  std::chrono::seconds key_retention{std::chrono::hours(72)};
  MutationOptions mutations;
};

// Which code answers which request.
class Service {
 public:
  // Everything passed must outlive the service, and the service every request that it was given.
  // `laboratory` may be null: then there is none.
  Service(pg::Lanes& lanes, const idempotency::Engine& engine, const idempotency::Flows& flows,
          const payments::CircuitBreaker& provider, Laboratory* laboratory, const Log& log,
          ServiceOptions options);

  // What needs no database is answered at once. Otherwise nothing is returned, and the answer goes to the
  // outbox. Thread safe, does not block, does not throw.
  std::optional<Answer> handle(HttpRequest request, ConnectionId from, std::shared_ptr<Outbox> outbox);

  // From now on everything is refused with 503.
  void stop() { stopping_ = true; }

 private:
  using Handler = std::function<asio::awaitable<HttpResponse>(pg::Lane&, const Exchange&)>;
  struct Route {
    std::string method;
    // Ends in "/" where the last segment is a variable, unless that is all of it.
    std::string path;
    Handler handler;
    // Instead of a handler, for what needs no database: the answer at once. Nothing: there is no such thing.
    std::function<std::optional<HttpResponse>(const HttpRequest&)> answer_at_once{};
    // Runs on the laboratory's lane, so that it takes nothing from the others.
    bool in_laboratory = false;
  };
  struct Answering;

  const Route* find_route(Exchange& exchange, std::string& allowed) const;
  asio::awaitable<void> answer(pg::Lane& lane, const Route& route, std::unique_ptr<Answering> answering);
  Answer finish(const Answering& answering, const HttpResponse& response) const;

  pg::Lanes& lanes_;
  Laboratory* laboratory_;
  const Log& log_;
  ServiceOptions options_;
  Pages pages_;
  std::vector<Route> routes_;
  // Also as a problem; made once, because refusing must cost little when there is too much to do.
  std::array<HttpResponse, 2> overloaded_;
  std::atomic<bool> stopping_{false};
};

// The answer to bytes that are no request.
Answer render_refused(const RequestReader::Refused& refused);

}  // namespace rocket::api
