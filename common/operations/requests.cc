#include "rocket/operations/requests.h"

#include <algorithm>

#include "rocket/base/ids.h"
#include "rocket/base/text.h"

namespace rocket::operations {
namespace {

// How a key `k` stands. The lease time is named before the text.
constexpr char kStateUntil[] = R"sql(CASE
  WHEN k.id IS NULL THEN 'gone'
  WHEN k.finished_at IS NOT NULL AND k.response_body LIKE '%"code":"request\_closed"%' THEN 'closed'
  WHEN k.finished_at IS NOT NULL THEN 'finished'
  WHEN k.parked_at IS NOT NULL THEN 'parked'
  WHEN k.locked_at >= now() - make_interval(secs => )sql";
constexpr char kStateEnds[] = R"sql() THEN 'in_progress'
  ELSE 'waiting' END)sql";

// One request in a list. A whole key is its client's secret, so only its beginning is shown.
constexpr char kLine[] = R"sql(json_build_object(
  'key_id', found.id, 'key_begins', left(k.idempotency_key, 8), 'user_id', coalesce(k.user_id, ride.user_id),
  'method', k.request_method, 'path', k.request_path, 'state', )sql";
constexpr char kLineEnds[] = R"sql(, 'point', k.recovery_point, 'attempts', k.attempts,
  'created_at', coalesce(k.created_at, ride.created_at), 'parked_at', k.parked_at, 'finished_at', k.finished_at,
  'status', k.response_code, 'error', k.last_error, 'ride_id', ride.id, 'charge_id', ride.stripe_charge_id))sql";

// $1 most, $2 lease time.
constexpr auto kListParkedSql =
    joined(R"sql(
SELECT users.email, )sql",
           kLine, kStateUntil, "$2::bigint", kStateEnds, kLineEnds, R"sql(::text AS request
  FROM (SELECT id FROM idempotency_keys WHERE parked_at IS NOT NULL ORDER BY parked_at LIMIT $1::bigint) found
  JOIN idempotency_keys k ON k.id = found.id
  JOIN users ON users.id = k.user_id
  LEFT JOIN rides ride ON ride.idempotency_key_id = k.id
 ORDER BY k.parked_at
)sql");
constexpr pg::Statement kListParked{"list_parked_keys", kListParkedSql.data()};

// $1 key id, $2 key, $3 ride, $4 e-mail address, $5 user, $6 most, $7 lease time. NULL finds nothing. There
// is no index of keys by their user, because every request would pay for it. The range of rides means user_id
// = owner.id, but only the index of both columns can serve it in this form.
constexpr auto kFindRequestsSql =
    joined(R"sql(
WITH owner AS MATERIALIZED (
  SELECT id FROM users WHERE email = $4::text UNION SELECT id FROM users WHERE id = $5::bigint
), found AS MATERIALIZED (
  SELECT $1::uuid AS id
   WHERE EXISTS (SELECT FROM idempotency_keys WHERE id = $1::uuid)
      OR EXISTS (SELECT FROM rides WHERE idempotency_key_id = $1::uuid)
  UNION (SELECT id FROM idempotency_keys WHERE idempotency_key = $2::text LIMIT 1000)
  UNION SELECT idempotency_key_id FROM rides WHERE id = $3::bigint
  UNION SELECT idempotency_key_id FROM refunds WHERE ride_id = $3::bigint
  UNION SELECT latest.idempotency_key_id
          FROM owner, LATERAL (SELECT idempotency_key_id FROM rides
                                WHERE user_id >= owner.id AND (user_id, id) < (owner.id, 9223372036854775807)
                                ORDER BY user_id DESC, id DESC LIMIT $6::bigint + 1) latest
  UNION SELECT id FROM (SELECT id, user_id FROM idempotency_keys WHERE finished_at IS NULL AND parked_at IS NULL
                         ORDER BY created_at DESC LIMIT 1000) latest WHERE user_id IN (SELECT id FROM owner)
  UNION SELECT id FROM (SELECT id, user_id FROM idempotency_keys WHERE parked_at IS NOT NULL
                         ORDER BY parked_at DESC LIMIT 1000) latest WHERE user_id IN (SELECT id FROM owner)
  UNION SELECT id FROM (SELECT id, user_id FROM idempotency_keys WHERE finished_at IS NOT NULL
                         ORDER BY finished_at DESC LIMIT 1000) latest WHERE user_id IN (SELECT id FROM owner)
), lines AS (
  SELECT )sql",
           kLine, kStateUntil, "$7::bigint", kStateEnds, kLineEnds, R"sql( AS line,
         row_number() OVER (ORDER BY coalesce(k.created_at, ride.created_at) DESC NULLS LAST, found.id) AS place
    FROM found
    LEFT JOIN LATERAL (SELECT * FROM idempotency_keys WHERE id = found.id LIMIT 1) k ON true
    LEFT JOIN LATERAL (SELECT id, user_id, stripe_charge_id, created_at FROM rides
                        WHERE idempotency_key_id = found.id LIMIT 1) ride ON true
)
SELECT json_build_object(
         'requests', coalesce(json_agg(line ORDER BY place) FILTER (WHERE place <= $6::bigint), '[]'),
         'more', count(*) > $6::bigint)::text AS requests
  FROM lines
)sql");
constexpr pg::Statement kFindRequests{"find_requests", kFindRequestsSql.data()};

// $1 key id, $2 lease time. A cancellation has the ride of its path, so its charge and refund are shown as
// well. The newest 10,000 staged jobs are searched: there is no index of jobs by ride, because every ride
// would pay for it.
constexpr auto kFindStorySql = joined(R"sql(
WITH k AS MATERIALIZED (
  SELECT * FROM idempotency_keys WHERE id = $1::uuid
), ride AS MATERIALIZED (
  SELECT * FROM rides
   WHERE id = coalesce((SELECT id FROM rides WHERE idempotency_key_id = $1::uuid),
                       (SELECT ride_id FROM refunds WHERE idempotency_key_id = $1::uuid),
                       (SELECT substring(request_path FROM '^/rides/([1-9][0-9]{0,17})$')::bigint FROM k))
     -- The path may name a ride of somebody else.
     AND user_id = coalesce((SELECT user_id FROM k), user_id)
), refund AS MATERIALIZED (
  SELECT refunds.* FROM ride JOIN refunds ON refunds.ride_id = ride.id
), deposit AS MATERIALIZED (
  SELECT id FROM deposits WHERE idempotency_key_id = $1::uuid
), jobs AS MATERIALIZED (
  SELECT latest.* FROM ride, (SELECT id, job_id, job_name, job_args, created_at FROM staged_jobs
                              ORDER BY id DESC LIMIT 10000) latest
   WHERE latest.job_args->>'ride_id' = ride.id::text
), attempts AS MATERIALIZED (
  SELECT * FROM key_attempts WHERE key_id = $1::uuid ORDER BY id DESC LIMIT 200
), deeds AS MATERIALIZED (
  SELECT action, data, created_at FROM audit_records
   WHERE data->>'key_id' = $1::text AND action IN ('key_resumed', 'key_closed')
), events (at, rank, what, point, attempt, process, host, detail) AS (
  SELECT created_at, 0, 'asked', 'started', 1, NULL, NULL, request_method || ' ' || request_path FROM k
  UNION ALL SELECT ride.created_at, 1, 'ride_created', 'ride_created', NULL, NULL, NULL, 'ride ' || ride.id
              FROM ride WHERE ride.idempotency_key_id = $1::uuid
  UNION ALL SELECT created_at, 2, outcome, to_point, attempt, process, host, coalesce(error, reason) FROM attempts
  UNION ALL SELECT refund.created_at, 1, 'refund_prepared', 'refund_prepared', NULL, NULL, NULL, 'ride ' || ride_id
              FROM refund
  UNION ALL SELECT refunded_at, 3, 'refunded', 'refund_created', NULL, NULL, NULL, stripe_refund_id
              FROM refund WHERE refunded_at IS NOT NULL
  UNION ALL SELECT parked_at, 3, 'parked', recovery_point, attempts, NULL, NULL, last_error FROM k
             WHERE parked_at IS NOT NULL AND NOT EXISTS (SELECT FROM attempts WHERE outcome = 'parked')
  UNION ALL SELECT resumed_at, 3, 'resumed', recovery_point, NULL, NULL, NULL, NULL FROM k
             WHERE resumed_at IS NOT NULL AND NOT EXISTS (SELECT FROM attempts WHERE outcome = 'resumed')
  UNION ALL SELECT finished_at, 4, 'finished', recovery_point, attempts, NULL, NULL, 'answered ' || response_code FROM k
             WHERE finished_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM attempts WHERE outcome IN ('finished', 'closed'))
  UNION ALL SELECT created_at, 5, 'job_staged', NULL, NULL, NULL, NULL, job_name FROM jobs
)
SELECT )sql",
                                      kStateUntil, "$2::bigint", kStateEnds,
                                      R"sql( AS state, k.resumed_at, json_build_object(
  'key_id', asked.id, 'key_begins', left(k.idempotency_key, 8), 'user_id', coalesce(k.user_id, ride.user_id),
  'method', k.request_method, 'path', k.request_path, 'params', k.request_params, 'origin_ip', k.origin_ip, 'traceparent', k.traceparent,
  'state', )sql",
                                      kStateUntil, "$2::bigint", kStateEnds, R"sql(,
  'point', k.recovery_point, 'attempts', k.attempts, 'completions', k.completions,
  'lease_age_s', extract(epoch FROM now() - k.locked_at)::bigint,
  'created_at', coalesce(k.created_at, ride.created_at), 'last_run_at', k.last_run_at, 'parked_at', k.parked_at,
  'resumed_at', k.resumed_at, 'finished_at', k.finished_at, 'status', k.response_code, 'error', k.last_error,
  'ride', (SELECT json_build_object('id', id, 'charge_id', stripe_charge_id, 'charge_key', charge_key,
                                    'price_cents', price_cents, 'created_at', created_at) FROM ride),
  'refund', (SELECT json_build_object('refund_id', stripe_refund_id, 'refund_key', refund_key,
                                      'charge_id', stripe_charge_id, 'refunded_at', refunded_at) FROM refund),
  'deposit_id', (SELECT id FROM deposit),
  'jobs', (SELECT coalesce(json_agg(json_build_object('job_id', job_id, 'name', job_name, 'staged_at', created_at)
                                    ORDER BY id), '[]') FROM jobs),
  'operators', (SELECT coalesce(json_agg(json_build_object('action', action, 'operator', data->'operator',
                                         'note', data->'note', 'at', created_at) ORDER BY created_at), '[]') FROM deeds),
  'timeline', (SELECT coalesce(json_agg(json_strip_nulls(json_build_object('at', at, 'what', what, 'point', point,
                                'attempt', attempt, 'process', process, 'host', host, 'detail', detail))
                                ORDER BY at, rank), '[]') FROM events))::text AS story
  FROM (SELECT $1::uuid AS id) asked LEFT JOIN k ON true LEFT JOIN ride ON true
 WHERE k.id IS NOT NULL OR ride.id IS NOT NULL
)sql");
constexpr pg::Statement kFindStory{"find_story", kFindStorySql.data()};

constexpr pg::Statement kFindKeyOfRide{"find_key_of_ride", R"sql(
SELECT idempotency_key_id AS key_id FROM rides WHERE id = $1::bigint
)sql"};

// Ids begin with 1 and fit into a bigint.
bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 18 && text.front() != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Search Search::of(std::string_view text) {
  Search search;
  const std::string all(trimmed(text));
  if (all.empty() || storable(all) != all) return search;
  if (is_uuid(all)) search.key_id = all;
  if (is_number(all)) search.ride_id = search.user_id = all;
  if (all.find('@') != std::string::npos) search.email = all;
  search.key = all;
  return search;
}

pg::Query list_parked(std::int64_t most, std::chrono::seconds lease_time) {
  return {kListParked, {std::to_string(most), std::to_string(lease_time.count())}};
}

pg::Query find_requests(const Search& search, std::int64_t most, std::chrono::seconds lease_time) {
  return {kFindRequests,
          {search.key_id, search.key, search.ride_id, search.email, search.user_id, std::to_string(most),
           std::to_string(lease_time.count())}};
}

pg::Query find_story(const std::string& key_id, std::chrono::seconds lease_time) {
  return {kFindStory, {key_id, std::to_string(lease_time.count())}};
}

pg::Query find_key_of_ride(const std::string& ride_id) { return {kFindKeyOfRide, {ride_id}}; }

}  // namespace rocket::operations
