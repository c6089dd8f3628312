#include "api/queries.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "api/request_checks.h"

namespace rocket::api {
namespace {

constexpr pg::Statement kFindUser{"find_user", "SELECT 1 FROM users WHERE email = $1"};

// One row for a user who exists, with NULL where the ride is not there or not theirs.
constexpr pg::Statement kFindRide{"find_ride", R"sql(
SELECT (SELECT to_json(answer) FROM
         (SELECT to_json(ride) AS ride FROM
           (SELECT r.id, r.origin_lat, r.origin_lon, r.target_lat, r.target_lon, r.stripe_charge_id, r.created_at,
                   CASE WHEN own.id IS NOT NULL THEN 'unfinished'
                        WHEN r.stripe_charge_id IS NULL THEN 'not_charged'
                        WHEN refund.ride_id IS NULL THEN 'charged'
                        WHEN refund.stripe_refund_id IS NULL THEN 'cancelling'
                        ELSE 'cancelled' END AS state,
                   refund.stripe_refund_id, refund.refunded_at AS cancelled_at
              FROM rides r
              LEFT JOIN refunds refund ON refund.ride_id = r.id
              LEFT JOIN idempotency_keys own ON own.id = r.idempotency_key_id AND own.finished_at IS NULL
             WHERE r.id = $2::bigint AND r.user_id = users.id) ride) answer) AS answer
  FROM users WHERE email = $1
)sql"};

constexpr pg::Statement kFindKey{"find_key", R"sql(
SELECT (SELECT to_json(answer) FROM
         (SELECT to_json(progress) AS idempotency_key FROM
           (SELECT k.idempotency_key AS key, k.request_method, k.request_path, k.recovery_point,
                   CASE WHEN k.finished_at IS NOT NULL THEN 'finished'
                        WHEN k.parked_at IS NOT NULL THEN 'parked'
                        WHEN k.locked_at >= now() - make_interval(secs => $4::int) THEN 'in_progress'
                        ELSE 'waiting' END AS state,
                   k.attempts, k.created_at, k.last_run_at,
                   k.finished_at + make_interval(secs => $3::int) AS expires_at,
                   CASE WHEN k.finished_at IS NOT NULL
                        THEN json_build_object('status', k.response_code, 'body', k.response_body::json)
                   END AS response
              FROM idempotency_keys k WHERE k.user_id = users.id AND k.idempotency_key = $2) progress) answer) AS answer
  FROM users WHERE email = $1
)sql"};

constexpr pg::Statement kFindAccount{"find_account", R"sql(
SELECT (SELECT to_json(answer) FROM
         (SELECT coalesce((SELECT balance FROM accounts WHERE user_id = users.id), 0) AS balance,
                 'usd' AS currency) answer) AS answer
  FROM users WHERE email = $1
)sql"};

constexpr pg::Statement kPing{"ping", "SELECT 1"};

// The answer of a query above: no row is no such user, NULL is no such thing.
asio::awaitable<HttpResponse> find(pg::Lane& lane, const Exchange& exchange, const pg::Statement& statement,
                                   pg::Params params, Failure not_found) {
  const auto credentials = read_credentials(exchange.request);
  if (const auto* failure = std::get_if<Failure>(&credentials))
    co_return render(*failure, exchange.as_problem);
  params.insert(params.begin(), std::get<std::string>(credentials));
  pg::Query query(statement, std::move(params));
  const pg::Result result = co_await run(lane, std::move(query));
  if (result.empty()) co_return render(unknown_user(), exchange.as_problem);
  if (result.is_null(0, "answer")) co_return render(not_found, exchange.as_problem);
  HttpResponse response;
  response.body = result.text(0, "answer");
  co_return response;
}

// As it is usually called.
const char* name_of(payments::CircuitState circuit) {
  switch (circuit) {
    case payments::CircuitState::kClosed:
      return "closed";
    case payments::CircuitState::kOpen:
      return "open";
    case payments::CircuitState::kHalfOpen:
      break;
  }
  return "half-open";
}

}  // namespace

asio::awaitable<pg::Result> run(pg::Lane& lane, pg::Query query) {
  pg::Unit unit;
  unit.queries.push_back(std::move(query));
  std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  co_return std::move(results.front());
}

asio::awaitable<bool> user_exists(pg::Lane& lane, const std::string& email) {
  pg::Query query(kFindUser, pg::Params{email});
  const pg::Result result = co_await run(lane, std::move(query));
  co_return !result.empty();
}

asio::awaitable<HttpResponse> answer_ride(pg::Lane& lane, const Exchange& exchange) {
  // No ride has an id below one: what cannot be an id finds nothing.
  pg::Params params{is_ride_id(exchange.path_argument) ? exchange.path_argument : "0"};
  co_return co_await find(lane, exchange, kFindRide, std::move(params), ride_not_found());
}

asio::awaitable<HttpResponse> answer_key(pg::Lane& lane, const Exchange& exchange,
                                         std::chrono::seconds retention, std::chrono::seconds lease_time) {
  pg::Params params{normalize_idempotency_key(exchange.path_argument).value_or(""),
                    std::to_string(retention.count()), std::to_string(lease_time.count())};
  Failure not_found{404, "idempotency_key_not_found", "You have no such idempotency key.", {}};
  co_return co_await find(lane, exchange, kFindKey, std::move(params), std::move(not_found));
}

asio::awaitable<HttpResponse> answer_account(pg::Lane& lane, const Exchange& exchange) {
  Failure never;
  pg::Params none;
  co_return co_await find(lane, exchange, kFindAccount, std::move(none), std::move(never));
}

asio::awaitable<HttpResponse> answer_ready(pg::Lane& lane, payments::CircuitState circuit) {
  pg::Query query(kPing, pg::Params{});
  co_await run(lane, std::move(query));
  const bool answers = circuit == payments::CircuitState::kClosed;
  HttpResponse response;
  response.body = std::string(R"({"status":"ready","payment_provider":")") +
                  (answers ? "answers" : "does not answer") + R"(","payment_circuit":")" + name_of(circuit) +
                  "\"}";
  co_return response;
}

}  // namespace rocket::api
