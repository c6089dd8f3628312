#include "api/queries.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "api/credentials.h"
#include "api/identity.h"
#include "api/paging.h"
#include "api/request_checks.h"
#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"
#include "rocket/endpoints/rides.h"

namespace rocket::api {
namespace {

// The end of each query: one row if the credentials $1 permit to read.
constexpr auto kOfReaderSql = joined(R"sql(
  FROM (SELECT $1::text AS credential) asked, LATERAL ()sql",
                                     endpoints::kReaderOfCredential, R"sql() users (id)
 WHERE users.id IS NOT NULL
)sql");

// Shows rides `r`. The query for the rides stands between these two texts. Each refund and key is looked up
// by its own index: LATERAL with LIMIT leaves the planner no other way, however many rides it expects, and
// keeps the order of the rides.
constexpr auto kShow = joined("SELECT ", endpoints::kRideColumns, R"sql(,
       CASE WHEN own.id IS NOT NULL THEN 'unfinished'
            WHEN r.stripe_charge_id IS NULL THEN 'not_charged'
            WHEN refund.ride_id IS NULL THEN 'charged'
            WHEN refund.stripe_refund_id IS NULL THEN 'cancelling'
            ELSE 'cancelled' END AS state,
       refund.stripe_refund_id, refund.refunded_at AS cancelled_at
  FROM ()sql");
constexpr char kWithState[] = R"sql() r
  LEFT JOIN LATERAL (SELECT ride_id, stripe_refund_id, refunded_at FROM refunds WHERE ride_id = r.id LIMIT 1) refund
    ON true
  LEFT JOIN LATERAL (SELECT id FROM idempotency_keys
                      WHERE id = r.idempotency_key_id AND finished_at IS NULL LIMIT 1) own ON true
)sql";

// One row, with NULL if the ride does not exist or is not theirs.
constexpr auto kFindRideSql =
    joined("SELECT (SELECT to_json(answer) FROM (SELECT to_json(ride) AS ride FROM (", kShow,
           "SELECT * FROM rides WHERE id = $2::bigint AND user_id = users.id", kWithState,
           ") ride) answer) AS answer", kOfReaderSql);
constexpr pg::Statement kFindRide{"find_ride", kFindRideSql.data()};

// A user's latest rides with an id below $2, at most $3, and the cursor of the next page. One more ride is
// read, to know whether there is a next page. The range means user_id = users.id, but only the index of both
// columns can serve it in this form. With the plain form, the planner would walk through other users' rides
// where few users have most rides.
constexpr auto kListRidesSql = joined(R"sql(
SELECT (SELECT to_json(answer) FROM
         (SELECT coalesce(json_agg(ride) FILTER (WHERE place <= $3::int), '[]') AS rides,
                 CASE WHEN count(*) > $3::int
                      THEN encode(int8send(min(id) FILTER (WHERE place <= $3::int)), 'hex') END AS next_cursor
            FROM (SELECT to_json(ride) AS ride, ride.id, row_number() OVER () AS place FROM ()sql",
                                      kShow, R"sql(
SELECT * FROM rides WHERE user_id >= users.id AND (user_id, id) < (users.id, $2::bigint)
 ORDER BY user_id DESC, id DESC LIMIT $3::int + 1)sql",
                                      kWithState, ") ride) numbered) answer) AS answer", kOfReaderSql);
constexpr pg::Statement kListRides{"list_rides", kListRidesSql.data()};

// The history of the key `k`, oldest first. Only a token with the scope operate sees who made an attempt and
// its whole error, because these tell of the inside of the service.
constexpr char kHistory[] = R"sql(
SELECT coalesce(json_agg(
         CASE WHEN viewer.operates
              THEN (SELECT to_json(event) FROM
                     (SELECT attempt, outcome, reason, from_point AS "from", to_point AS "to", created_at AS at,
                             process, host, error) event)
              ELSE (SELECT to_json(event) FROM
                     (SELECT attempt, outcome, reason, from_point AS "from", to_point AS "to", created_at AS at) event)
         END ORDER BY latest.id), '[]')
  FROM (SELECT (SELECT 'operate' = ANY (scopes) FROM api_tokens WHERE token_hash = asked.credential) AS operates) viewer,
       (SELECT * FROM key_attempts WHERE key_id = k.id ORDER BY id DESC LIMIT 100) latest
)sql";

constexpr auto kFindKeySql = joined(R"sql(
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
                   END AS response,
                   ()sql",
                                    kHistory, R"sql() AS history
              FROM idempotency_keys k WHERE k.user_id = users.id AND k.idempotency_key = $2) progress) answer) AS answer)sql",
                                    kOfReaderSql);
constexpr pg::Statement kFindKey{"find_key", kFindKeySql.data()};

constexpr auto kFindAccountSql = joined(R"sql(
SELECT (SELECT to_json(answer) FROM
         (SELECT coalesce((SELECT balance FROM accounts WHERE user_id = users.id), 0) AS balance,
                 'usd' AS currency) answer) AS answer)sql",
                                        kOfReaderSql);
constexpr pg::Statement kFindAccount{"find_account", kFindAccountSql.data()};

// Answers with the result of a query above. No row means that the credentials are not valid for it. NULL
// means no such thing.
asio::awaitable<HttpResponse> find(pg::Lane& lane, const RequestContext& context,
                                   const pg::Statement& statement, pg::Params params, Failure not_found) {
  if (!context.credentials) co_return render(context.credentials.error(), context.as_problem);
  params.insert(params.begin(), *context.credentials);
  pg::Query query(statement, std::move(params));
  const pg::Result result = co_await run(lane, std::move(query), context.caller, context.ids);
  if (result.empty()) {
    const auto fault = co_await find_fault(lane, *context.credentials, "read", context.caller, context.ids);
    // They may have become valid since.
    co_return render(fault ? *fault : unknown_user(*context.credentials), context.as_problem);
  }
  if (result.is_null(0, "answer")) co_return render(not_found, context.as_problem);
  HttpResponse response;
  response.body = result.text(0, "answer");
  co_return response;
}

Failure database_not_ready(const std::vector<std::string>& missing) {
  Failure failure{503,
                  "database_not_ready",
                  "The database lacks something that this service needs.",
                  {{"Retry-After", "1"}}};
  failure.missing = missing;
  return failure;
}

}  // namespace

asio::awaitable<pg::Result> run(pg::Lane& lane, pg::Query query, std::string caller, SharedRequestIds ids) {
  pg::Unit unit;
  unit.caller = std::move(caller);
  unit.ids = std::move(ids);
  unit.queries.push_back(std::move(query));
  std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  co_return std::move(results.front());
}

asio::awaitable<HttpResponse> answer_ride(pg::Lane& lane, const RequestContext& context) {
  // Text that cannot be an id becomes 0 and finds nothing, because ids begin with 1.
  const std::string& id = context.variables.front();
  pg::Params params{is_id(id) ? id : "0"};
  co_return co_await find(lane, context, kFindRide, std::move(params), failure("ride_not_found"));
}

asio::awaitable<HttpResponse> answer_rides(pg::Lane& lane, const RequestContext& context) {
  const auto page = read_page(context.request.query);
  if (!page && context.credentials) {
    // The query below would have noticed an unknown user. Credentials are checked first, so ask here.
    const auto fault = co_await find_fault(lane, *context.credentials, "read", context.caller, context.ids);
    co_return render(fault ? *fault : page.error(), context.as_problem);
  }
  pg::Params params;
  if (page) params = {std::to_string(page->before), std::to_string(page->limit)};
  Failure never;
  co_return co_await find(lane, context, kListRides, std::move(params), std::move(never));
}

asio::awaitable<HttpResponse> answer_key(pg::Lane& lane, const RequestContext& context,
                                         std::chrono::seconds retention, std::chrono::seconds lease_time) {
  pg::Params params{normalize_idempotency_key(context.variables.front()).value_or(""),
                    std::to_string(retention.count()), std::to_string(lease_time.count())};
  Failure not_found{404, "idempotency_key_not_found", "You have no such idempotency key.", {}};
  co_return co_await find(lane, context, kFindKey, std::move(params), std::move(not_found));
}

asio::awaitable<HttpResponse> answer_account(pg::Lane& lane, const RequestContext& context) {
  Failure never;
  pg::Params none;
  co_return co_await find(lane, context, kFindAccount, std::move(none), std::move(never));
}

asio::awaitable<HttpResponse> answer_ready(pg::Lane& lane, const RequestContext& context,
                                           Readiness& readiness, payments::CircuitState circuit) {
  const std::vector<std::string> missing = co_await readiness.find_missing(lane);
  if (!missing.empty()) {
    co_return render(database_not_ready(context.is_by_our_name ? missing : std::vector<std::string>()),
                     context.as_problem);
  }
  const bool answers = circuit == payments::CircuitState::kClosed;
  HttpResponse response;
  response.body = std::string(R"({"status":"ready","payment_provider":")") +
                  (answers ? "answers" : "does not answer") + R"(","payment_circuit":")" + name_of(circuit) +
                  "\"}";
  co_return response;
}

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

std::vector<pg::Statement> query_statements() { return {kFindRide, kListRides, kFindKey, kFindAccount}; }

}  // namespace rocket::api
