#include "api/service.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "api/identity.h"
#include "api/parameters.h"
#include "api/queries.h"
#include "api/request_checks.h"
#include "rocket/base/ids.h"
#include "rocket/base/text.h"
#include "rocket/pg/errors.h"

namespace rocket::api {
namespace {

// Nobody may fill the operators' line alone.
constexpr AdmissionOptions kOperatorsLine{
    .max_in_flight = 512, .caller_share = 50, .address_share = 50, .provider_share = 100};

HttpResponse alive() {
  HttpResponse response;
  response.body = R"({"status":"alive"})";
  return response;
}

// RFC 9110, section 9.3.7.
HttpResponse options(std::string allowed) {
  HttpResponse response;
  response.status = 204;
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

Failure failure_of_exception(const std::exception_ptr& error, const Log& log, const RequestIds& ids) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::Unavailable&) {
    return failure("database_unavailable");
  } catch (const pg::StatementFailed& failed) {
    if (failed.is_temporary()) return failure("database_unavailable");
  } catch (const std::exception& other) {
    log.error("request failed",
              {ids.request_field(), {"error", other.what()}, ids.key_field(), ids.trace_field()});
  } catch (...) {
    log.error("request failed",
              {ids.request_field(), {"error", "unknown exception"}, ids.key_field(), ids.trace_field()});
  }
  return {};
}

std::string common_fields(const ServiceOptions& options) {
  if (options.hsts.count() == 0) return {};
  return "Strict-Transport-Security: max-age=" + std::to_string(options.hsts.count()) + "\r\n";
}

}  // namespace

Service::Service(pg::Lanes& lanes, const idempotency::Engine& engine, const endpoints::Endpoints& endpoints,
                 const payments::CircuitBreaker& provider, Readiness& readiness, Operators& operators,
                 Laboratory* laboratory, RequestMetrics& metrics, const Log& log,
                 const ServiceOptions& options)
    : lanes_(lanes),
      readiness_(readiness),
      metrics_(metrics),
      log_(log),
      options_(options),
      common_fields_(common_fields(options)),
      pages_(laboratory != nullptr, options.auth),
      admission_(options.admission, provider),
      operators_admission_(kOperatorsLine, provider),
      limiter_(options.limits),
      answer_log_(log),
      overloaded_(render_both(failure("overloaded"))),
      too_many_requests_(render_both(failure("too_many_requests"))),
      waiting_(lanes, engine.lease_time(),
               [this](std::unique_ptr<Answering> answering, std::optional<idempotency::Outcome> known) {
                 end_wait(std::move(answering), std::move(known));
               }) {
  for (const endpoints::Endpoint& endpoint : endpoints) {
    const auto handle_it = [&engine, &endpoint, mutations = options.mutations](
                               pg::Lane& lane, const RequestContext& context) {
      return answer_mutation(lane, engine, endpoint, context, mutations);
    };
    Route route{endpoint.method, endpoint.path, handle_it};
    route.render_outcome = [&endpoint, mutations = options.mutations](idempotency::Outcome outcome,
                                                                      const RequestContext& context) {
      return render_outcome(endpoint, context, std::move(outcome), mutations);
    };
    route.makes_keys = true;
    route.calls_provider = endpoint.flow.has_foreign_call();
    route.is_charge = route.calls_provider && endpoint.takes_money;
    routes_.push_back(std::move(route));
  }
  const auto query = [this](const char* path, Handler handler) -> Route& {
    return routes_.emplace_back(Route{"GET", http::PathPattern(path), std::move(handler)});
  };
  const auto at_once = [this](const std::string& path, decltype(Route::answer_at_once) answer) {
    routes_.push_back({"GET", http::PathPattern(path), nullptr, std::move(answer)});
  };
  query("/rides", answer_rides);
  query("/rides/{ride_id}", answer_ride);
  query("/idempotency-keys/{key}",
        [&engine, retention = options.key_retention](pg::Lane& lane, const RequestContext& context) {
          return answer_key(lane, context, retention, engine.lease_time());
        });
  query("/account", answer_account);
  Route& ready = query("/readyz", [this, &provider](pg::Lane& lane, const RequestContext& context) {
    return answer_ready(lane, context, readiness_, provider.state());
  });
  ready.is_check = true;
  at_once("/healthz", [](const HttpRequest&) { return alive(); });
  routes_.back().is_check = true;
  const auto find_page = [this](const HttpRequest& page) { return pages_.find(page); };
  for (const std::string& path : pages_.paths()) at_once(path, find_page);
  at_once("/web/{file}", find_page);
  for (Route& each : operators.routes()) routes_.push_back(std::move(each));
  if (laboratory != nullptr) {
    for (Route& each : laboratory->routes()) routes_.push_back(std::move(each));
  }
  for (Route& route : routes_) {
    route.metrics = &metrics_.add_route(route.method, route.path.text(), route.makes_keys);
  }
}

std::optional<SerializedResponse> Service::handle(HttpRequest request, ConnectionId from,
                                                  std::shared_ptr<ResponseQueue> responses) {
  auto answering = std::make_unique<Answering>();
  answering->from = from;
  answering->responses = std::move(responses);
  RequestContext& context = answering->context;
  context.request = std::move(request);
  context.request.origin_ip = options_.proxies.client_address(context.request, context.request.origin_ip);
  context.ids = std::make_shared<RequestIds>(ids_of(context.request));
  context.as_problem = accepts_problem(context.request);
  const auto refuse = [&](const Failure& failure) {
    return finish(*answering, render(failure, context.as_problem));
  };

  std::string allowed;
  const Route* route = find_route(routes_, context, allowed);
  context.is_by_our_name = options_.hosts.allow(context.request);
  const bool is_check = route != nullptr && route->is_check;
  if (!is_check && !context.is_by_our_name) {
    answer_log_.note_foreign_host(context.request);
    return refuse(
        {421, "misdirected_request", "This server does not answer by the name in the Host field.", {}});
  }
  if (route == nullptr && allowed.empty()) {
    return finish(*answering, nothing_here(context));
  }
  if (context.request.method == "OPTIONS") return finish(*answering, options(std::move(allowed)));
  if (route == nullptr) {
    return refuse({405, "method_not_allowed", "This path allows " + allowed + ".", {{"Allow", allowed}}});
  }
  answering->route = route;
  if (route->answer_at_once) {
    auto response = route->answer_at_once(context.request);
    return finish(*answering, response ? *response : nothing_here(context));
  }
  if (stopping_.load()) {
    answering->refusal = "stopping";
    return refuse({503, "overloaded", "The service is stopping. Retry.", {{"Retry-After", "1"}}});
  }
  if (!route->is_check) {
    context.credentials = read_credentials(context.request, options_.auth);
    const Caller caller{context.credentials.value_or(""), network_of(context.request.origin_ip)};
    auto admitted = admission_of(*route).enter(caller, route->calls_provider);
    if (const auto* refusal = std::get_if<Admission::Refusal>(&admitted)) {
      const auto& refused = *refusal == Admission::Refusal::kOverloaded ? overloaded_ : too_many_requests_;
      return finish(*answering, refused[context.as_problem ? 1 : 0]);
    }
    answering->in_line.emplace(std::move(std::get<Admission::Slot>(admitted)));
    context.caller = answering->in_line->holder();
    if (!answering->in_line->may_call_provider()) {
      context.restriction = {overloaded_[context.as_problem ? 1 : 0]};
    }
    if (auto refused = limiter_.begin(*route, context, answering->charge)) {
      return finish(*answering, *refused);
    }
  }
  begin(std::move(answering));
  return std::nullopt;
}

void Service::begin(std::unique_ptr<Answering> answering) {
  const Route& route = *answering->route;
  pg::Lanes& lanes = route.lanes ? route.lanes() : lanes_;
  answering->on_lane.emplace(lanes.enter(answering->context.request.header("idempotency-key")));
  pg::Lane& lane = answering->on_lane->lane();
  asio::co_spawn(lane.executor(), answer(lane, route, std::move(answering)), asio::detached);
}

asio::awaitable<void> Service::answer(pg::Lane& lane, const Route& route,
                                      std::unique_ptr<Answering> answering) {
  RequestContext& context = answering->context;
  if (answering->in_line && answering->in_line->should_identify() && context.credentials) {
    co_await identify_user(lane, route, *answering);
  }
  HttpResponse response;
  std::exception_ptr error;
  try {
    response = co_await route.handler(lane, context);
  } catch (...) {
    error = std::current_exception();
  }
  if (error) response = render_exception(error, context);
  // The database may have changed, so the next readiness check must ask it again.
  if (response.status >= 500 && !route.is_check) readiness_.forget();
  if (!route.is_check) limiter_.end(context, response);
  // They were revoked, for example.
  if (response.status == 401 && context.credentials) admission_of(route).forget(*context.credentials);
  if (waits(*answering, response)) {
    wait(std::move(answering), response.key_in_progress);
  } else {
    post(std::move(answering), std::move(response));
  }
}

HttpResponse Service::render_exception(const std::exception_ptr& error, const RequestContext& context) const {
  return render(failure_of_exception(error, log_, *context.ids), context.as_problem);
}

void Service::post(std::unique_ptr<Answering> answering, HttpResponse response) {
  if (answering->wait) {
    response.headers.emplace_back("Preference-Applied", "wait=" + std::to_string(answering->wait->count()));
  }
  // Give the slots back before the client can send its next request.
  answering->charge = {};
  answering->in_line.reset();
  answering->on_lane.reset();
  answering->responses->post({answering->from, finish(*answering, response)});
}

// Asks once an hour for each credential, and before the work, so that all of it counts for the user and for
// nobody else who has the same address.
asio::awaitable<void> Service::identify_user(pg::Lane& lane, const Route& route, Answering& answering) {
  RequestContext& context = answering.context;
  try {
    const auto user = co_await identify(lane, *context.credentials, context.ids);
    if (!user) co_return;
    admission_of(route).know(*context.credentials, *user);
    if (is_address(context.caller)) limiter_.begin_of_stranger(route, context, *user, answering.charge);
  } catch (const std::exception&) {
    // The work itself will say what is wrong.
  }
}

// Answers 404 with a page to people who follow a link. Programs do not ask for HTML alone.
HttpResponse Service::nothing_here(const RequestContext& context) const {
  const std::string& method = context.request.method;
  const auto accept = context.request.header("accept").value_or("");
  const bool for_people = accepts(accept, "text/html") && !accepts(accept, "application/json");
  if (for_people && !context.as_problem && (method == "GET" || method == "HEAD")) return pages_.not_found();
  return render(Failure{404, "not_found", "There is nothing at this path.", {}}, context.as_problem);
}

SerializedResponse Service::finish(const Answering& answering, const HttpResponse& response) {
  const Route* route = answering.route;
  const std::string_view path = route != nullptr ? std::string_view(route->path.text()) : "unknown";
  RouteMetrics& metrics = route != nullptr ? *route->metrics : metrics_.unknown();
  answer_log_.note(answering.context, path, answering.since, response);
  std::optional<std::chrono::nanoseconds> duration;
  if (!answering.wait) duration = std::chrono::steady_clock::now() - answering.since;
  metrics.note(answering.context.request, response, duration);
  if (!response.code.empty()) {
    metrics_.note_refusal(answering.refusal.empty() ? std::string_view(response.code) : answering.refusal);
  }
  const HttpRequest& request = answering.context.request;
  const auto answer = [&](const HttpResponse& whole) -> SerializedResponse {
    const bool with_body = request.method != "HEAD";
    return {whole.serialize(answering.context.ids->request_id, request.connection_option(), with_body,
                            common_fields_),
            !request.keep_alive};
  };
  if (options_.cors.allows_nobody()) return answer(response);
  HttpResponse shared = response;
  options_.cors.add_to(shared, request);
  return answer(shared);
}

SerializedResponse Service::refuse(const RequestReader::ProtocolError& refused, const HttpRequest& begun) {
  Failure failure{refused.status, refused.code, refused.error, {}};
  if (refused.status == 503) failure.headers.emplace_back("Retry-After", "1");
  HttpResponse response = render(failure, accepts_problem(begun));
  metrics_.note_no_request(response);
  options_.cors.add_to(response, begun);
  return {response.serialize(random_uuid(), "close", true, common_fields_), true};
}

}  // namespace rocket::api
