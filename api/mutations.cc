#include "api/mutations.h"

#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "api/queries.h"
#include "api/request_checks.h"
#include "base/ids.h"

namespace rocket::api {
namespace {

constexpr std::int64_t kMostDollars = 100'000;

Failure retry_later(int status, std::string code, std::string error) {
  return {status, std::move(code), std::move(error), {{"Retry-After", "1"}}};
}

Failure failure_for(idempotency::RefusalKind kind, MutationOptions options) {
  using idempotency::RefusalKind;
  switch (kind) {
    case RefusalKind::kUnknownUser:
      return unknown_user();
    case RefusalKind::kKeyReused:
      return {options.key_reused_status,
              "idempotency_key_reused",
              "This Idempotency-Key was used for another request. Use a new key for a new request.",
              {}};
    case RefusalKind::kInProgress:
      return retry_later(409, "request_in_progress", "A request with this Idempotency-Key is in progress.");
    case RefusalKind::kParked:
      return {409,
              "request_parked",
              "This request waits for a person. Do not repeat it with another key; please contact support.",
              {}};
    case RefusalKind::kForeignUnavailable:
      return retry_later(503, "payment_unavailable",
                         "The payment provider gave no answer. Retry with the same Idempotency-Key.");
    case RefusalKind::kDatabaseUnavailable:
      return database_unavailable();
    case RefusalKind::kInternal:
      return {};
  }
  return {};
}

// The key, or what is wrong with it. Requests that need none get one nobody else can name.
OrFailure<std::string> key_for(const HttpRequest& request, bool optional) {
  auto read = read_idempotency_key(request);
  if (auto* failure = std::get_if<Failure>(&read)) return std::move(*failure);
  if (auto& key = std::get<std::optional<std::string>>(read)) return std::move(*key);
  if (optional) return "keyless-" + random_uuid();
  return Failure{400, "idempotency_key_missing", "Send an Idempotency-Key header.", {}};
}

// Everything that can be checked without the database.
OrFailure<idempotency::Request> accept(const Mutation& mutation, const Exchange& exchange,
                                       const std::string& user_email) {
  auto key = key_for(exchange.request, mutation.key_is_optional);
  if (auto* failure = std::get_if<Failure>(&key)) return std::move(*failure);
  auto parameters = Parameters::parse(exchange.request);
  if (auto* failure = std::get_if<Failure>(&parameters)) return std::move(*failure);
  auto body = mutation.accept(std::get<Parameters>(parameters), exchange.path_argument);
  if (auto* failure = std::get_if<Failure>(&body)) return std::move(*failure);
  auto& accepted = std::get<AcceptedBody>(body);
  return idempotency::Request{.user_email = user_email,
                              .key = std::move(std::get<std::string>(key)),
                              .method = exchange.request.method,
                              // With the variable decoded: /rides/%37 is /rides/7.
                              .path = mutation.flow->path + exchange.path_argument,
                              .params = std::move(accepted.params),
                              .origin_ip = exchange.request.origin_ip,
                              .raise_error = accepted.raise_error};
}

}  // namespace

Failure database_unavailable() {
  return retry_later(503, "database_unavailable",
                     "The service is away for a moment. Retry with the same Idempotency-Key.");
}

OrFailure<AcceptedBody> accept_ride(const Parameters& parameters) {
  struct Coordinate {
    const char* name;
    double limit;
  };
  constexpr std::array<Coordinate, 4> kCoordinates{
      {{"origin_lat", 90}, {"origin_lon", 180}, {"target_lat", 90}, {"target_lon", 180}}};
  nlohmann::ordered_json params;
  for (const auto& [name, limit] : kCoordinates) {
    auto value = parameters.decimal(name, -limit, limit);
    if (auto* failure = std::get_if<Failure>(&value)) return std::move(*failure);
    params[name] = std::get<double>(value);
  }
  auto raise_error = parameters.flag("raise_error");
  if (auto* failure = std::get_if<Failure>(&raise_error)) return std::move(*failure);
  return AcceptedBody{params.dump(), std::get<bool>(raise_error)};
}

OrFailure<AcceptedBody> accept_cancellation(const Parameters& parameters, const std::string& ride_id) {
  if (!is_ride_id(ride_id)) return ride_not_found();
  auto raise_error = parameters.flag("raise_error");
  if (auto* failure = std::get_if<Failure>(&raise_error)) return std::move(*failure);
  return AcceptedBody{"{}", std::get<bool>(raise_error)};
}

OrFailure<AcceptedBody> accept_deposit(const Parameters& parameters) {
  auto amount = parameters.integer("amount", 1, kMostDollars);
  if (auto* failure = std::get_if<Failure>(&amount)) return std::move(*failure);
  return AcceptedBody{nlohmann::json{{"amount", std::get<std::int64_t>(amount)}}.dump()};
}

asio::awaitable<HttpResponse> answer_mutation(pg::Lane& lane, const idempotency::Engine& engine,
                                              const Mutation& mutation, const Exchange& exchange,
                                              MutationOptions options) {
  const auto credentials = read_credentials(exchange.request);
  if (const auto* failure = std::get_if<Failure>(&credentials))
    co_return render(*failure, exchange.as_problem);
  const auto& user_email = std::get<std::string>(credentials);

  auto accepted = accept(mutation, exchange, user_email);
  if (const auto* failure = std::get_if<Failure>(&accepted)) {
    // The claim would have noticed a stranger; without one we must ask, since credentials come first.
    const bool known = co_await user_exists(lane, user_email);
    co_return render(known ? *failure : unknown_user(), exchange.as_problem);
  }

  idempotency::Outcome outcome =
      co_await engine.run(lane, *mutation.flow, std::move(std::get<idempotency::Request>(accepted)));
  if (const auto* refusal = std::get_if<idempotency::Refusal>(&outcome)) {
    co_return render(failure_for(refusal->kind, options), exchange.as_problem);
  }
  auto& answer = std::get<idempotency::Response>(outcome);
  HttpResponse response = render_stored(answer.status, std::move(answer.body), exchange.as_problem);
  if (answer.replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  if (answer.retry_after) response.headers.emplace_back("Retry-After", std::to_string(*answer.retry_after));
  co_return response;
}

}  // namespace rocket::api
