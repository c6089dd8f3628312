#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/http_message.h"
#include "api/request_context.h"
#include "api/request_metrics.h"
#include "rocket/http/path_pattern.h"
#include "rocket/idempotency/request.h"
#include "rocket/pg/lane.h"
#include "rocket/pg/lanes.h"

namespace rocket::api {

// Answers requests that need the database.
using Handler = std::function<asio::awaitable<HttpResponse>(pg::Lane&, const RequestContext&)>;

// Which code answers which requests, and what it needs.
struct Route {
  std::string method;
  http::PathPattern path;
  Handler handler;
  // Used instead of a handler if no database is needed. Returns nullopt if there is nothing at the path.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> answer_at_once{};
  // For routes that make keys: renders an outcome that is known without an attempt.
  std::function<HttpResponse(idempotency::Outcome, const RequestContext&)> render_outcome{};
  // The lanes that it runs on, so that it takes no time from those of other requests. Thread safe.
  std::function<pg::Lanes&()> lanes{};
  // Waits in a line of their own, because they need it most when the other one is full.
  bool is_for_operators = false;
  // Needs no slot in the line, and answers whatever name the api is called by.
  bool is_check = false;
  // May make an idempotency key.
  bool makes_keys = false;
  bool calls_provider = false;
  // The call takes money.
  bool is_charge = false;
  RouteMetrics* metrics = nullptr;
};

// Finds the route of a request, and sets context.variables. Returns nullptr if there is none for this method;
// `allowed` is then the Allow field, or empty if there is nothing at the path.
const Route* find_route(const std::vector<Route>& routes, RequestContext& context, std::string& allowed);

}  // namespace rocket::api
