#include "api/service.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <optional>
#include <utility>

#include "api/parameters.h"
#include "api/queries.h"
#include "api/request_checks.h"
#include "base/ids.h"
#include "pg/errors.h"

namespace rocket::api {
namespace {

HttpResponse alive() {
  HttpResponse response;
  response.body = R"({"status":"alive"})";
  return response;
}

Failure overloaded() {
  return {503, "overloaded", "Too many requests are waiting. Retry.", {{"Retry-After", "1"}}};
}

Failure nothing_here() { return {404, "not_found", "There is nothing at this path.", {}}; }

Failure failure_for(const std::exception_ptr& error, const Log& log, const std::string& request_id) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::Unavailable&) {
    return database_unavailable();
  } catch (const pg::StatementFailed& failed) {
    if (failed.is_temporary()) return database_unavailable();
  } catch (const std::exception& other) {
    log.error("request failed", {{"request_id", request_id}, {"error", other.what()}});
  } catch (...) {
    log.error("request failed", {{"request_id", request_id}, {"error", "unknown exception"}});
  }
  return {};
}

}  // namespace

// A request, and where its answer goes.
struct Service::Answering {
  Exchange exchange;
  ConnectionId from;
  std::shared_ptr<Outbox> outbox;
  // For the log: what a client writes into a path is not ours to keep.
  std::string_view route = "unknown";
  // Of what needs the database.
  std::optional<pg::Lanes::Place> place{};
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
};

Service::Service(pg::Lanes& lanes, const idempotency::Engine& engine, const idempotency::Flows& flows,
                 const payments::CircuitBreaker& provider, Laboratory* laboratory, const Log& log,
                 ServiceOptions options)
    : lanes_(lanes),
      laboratory_(laboratory),
      log_(log),
      options_(options),
      pages_(laboratory != nullptr),
      overloaded_{render(overloaded(), false), render(overloaded(), true)} {
  const auto mutation = [&](const std::string& method, const std::string& path, auto accept,
                            bool key_is_optional) {
    const Mutation described{flows.at(method, path), accept, key_is_optional};
    routes_.push_back({method, path, [&engine, described, options](pg::Lane& lane, const Exchange& exchange) {
                         return answer_mutation(lane, engine, described, exchange, options.mutations);
                       }});
  };
  const auto body_alone = [](auto accept_body) {
    return
        [accept_body](const Parameters& parameters, const std::string&) { return accept_body(parameters); };
  };
  mutation("POST", "/rides", body_alone(accept_ride), false);
  mutation("POST", "/deposits", body_alone(accept_deposit), true);
  routes_.push_back({"GET", "/rides/", answer_ride});
  mutation("DELETE", "/rides/", accept_cancellation, true);
  routes_.push_back({"GET", "/idempotency-keys/",
                     [&engine, retention = options.key_retention](pg::Lane& lane, const Exchange& exchange) {
                       return answer_key(lane, exchange, retention, engine.lease_time());
                     }});
  routes_.push_back({"GET", "/account", answer_account});
  routes_.push_back({"GET", "/readyz", [&provider](pg::Lane& lane, const Exchange&) {
                       return answer_ready(lane, provider.state());
                     }});
  routes_.push_back({"GET", "/healthz", nullptr, [](const HttpRequest&) { return alive(); }});
  const auto find_page = [this](const HttpRequest& page) { return pages_.find(page); };
  for (const std::string& path : pages_.paths()) routes_.push_back({"GET", path, nullptr, find_page});
  routes_.push_back({"GET", "/web/", nullptr, find_page});
  if (laboratory_ == nullptr) return;
  for (Laboratory::Experiment& each : laboratory_->experiments()) {
    routes_.push_back({each.method, each.path, std::move(each.answer), nullptr, true});
  }
}

std::optional<Answer> Service::handle(HttpRequest request, ConnectionId from,
                                      std::shared_ptr<Outbox> outbox) {
  auto answering = std::make_unique<Answering>();
  answering->from = from;
  answering->outbox = std::move(outbox);
  Exchange& exchange = answering->exchange;
  exchange.request = std::move(request);
  exchange.request_id = request_id_of(exchange.request);
  exchange.as_problem = accepts_problem(exchange.request.header("accept").value_or(""));
  const auto refuse = [&](const Failure& failure) {
    return finish(*answering, render(failure, exchange.as_problem));
  };

  std::string allowed;
  const Route* route = find_route(exchange, allowed);
  if (route == nullptr && allowed.empty()) {
    return refuse(nothing_here());
  }
  if (route == nullptr) {
    return refuse({405, "method_not_allowed", "This path allows " + allowed + ".", {{"Allow", allowed}}});
  }
  answering->route = route->path;
  if (route->answer_at_once) {
    auto response = route->answer_at_once(exchange.request);
    return response ? finish(*answering, *response) : refuse(nothing_here());
  }
  if (stopping_.load()) {
    return refuse({503, "overloaded", "The service is stopping. Retry.", {{"Retry-After", "1"}}});
  }
  pg::Lanes& lanes = route->in_laboratory ? laboratory_->lanes() : lanes_;
  auto place =
      lanes.enter(exchange.request.header("idempotency-key"), static_cast<std::size_t>(options_.line_limit));
  if (!place) return finish(*answering, overloaded_[exchange.as_problem ? 1 : 0]);
  pg::Lane& lane = place->lane();
  answering->place.emplace(std::move(*place));
  asio::co_spawn(lane.executor(), answer(lane, *route, std::move(answering)), asio::detached);
  return std::nullopt;
}

asio::awaitable<void> Service::answer(pg::Lane& lane, const Route& route,
                                      std::unique_ptr<Answering> answering) {
  HttpResponse response;
  std::exception_ptr error;
  try {
    response = co_await route.handler(lane, answering->exchange);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    const Failure failure = failure_for(error, log_, answering->exchange.request_id);
    response = render(failure, answering->exchange.as_problem);
  }
  // Before the client can send the next one.
  answering->place.reset();
  answering->outbox->post({answering->from, finish(*answering, response)});
}

const Service::Route* Service::find_route(Exchange& exchange, std::string& allowed) const {
  const HttpRequest& request = exchange.request;
  for (const Route& route : routes_) {
    const bool has_argument = route.path.size() > 1 && route.path.back() == '/';
    const bool matches = has_argument ? request.path.size() > route.path.size() &&
                                            request.path.starts_with(route.path) &&
                                            request.path.find('/', route.path.size()) == std::string::npos
                                      : request.path == route.path;
    if (!matches) continue;
    if (has_argument) {
      exchange.path_argument =
          percent_decode(std::string_view(request.path).substr(route.path.size()), false).value_or("");
    }
    if (request.method == route.method || (request.method == "HEAD" && route.method == "GET")) return &route;
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  return nullptr;
}

Answer Service::finish(const Answering& answering, const HttpResponse& response) const {
  const HttpRequest& request = answering.exchange.request;
  if (log_.shows_info()) {
    const std::chrono::duration<double, std::milli> duration =
        std::chrono::steady_clock::now() - answering.since;
    log_.info("answered", {{"method", request.method},
                           {"route", answering.route},
                           {"status", response.status},
                           {"duration_ms", duration.count()},
                           {"request_id", answering.exchange.request_id}});
  }
  return {response.serialize(answering.exchange.request_id, request.keep_alive, request.method != "HEAD"),
          !request.keep_alive};
}

Answer render_refused(const RequestReader::Refused& refused) {
  const HttpResponse response = render({refused.status, refused.code, refused.error, {}}, false);
  return {response.serialize(random_uuid(), false, true), true};
}

}  // namespace rocket::api
