#include "completer/abandoned_keys.h"

#include <memory>
#include <utility>

#include "rocket/base/text.h"
#include "rocket/idempotency/history.h"

namespace rocket::completer {
namespace {

// Both statements: $1 grace, $2 pause, $3 longest pause, $4 lease time, $5 most completions, $6 batch. The
// first one also has $7 process and $8 host, the second one $7 token. MATERIALIZED, because the planner may
// run a plain subquery twice and exceed the LIMIT.
//
// The last attempt of a key is over too when it is parked, so it is lost unless it has a row in the history.
constexpr auto kParkHopelessSql = joined(R"sql(
WITH hopeless AS MATERIALIZED (
  SELECT id FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL
     AND created_at < now() - make_interval(secs => $1::bigint)
     AND last_run_at < now() - make_interval(secs => least($2::bigint * power(2, least(completions, 20)), $3::bigint))
     AND (lease IS NULL OR locked_at < now() - make_interval(secs => $4::bigint))
     AND completions >= $5::bigint
   ORDER BY created_at
   LIMIT $6::bigint
     FOR UPDATE SKIP LOCKED
), ended AS (
  UPDATE idempotency_keys k
     SET parked_at = now(), lease = NULL, locked_at = NULL,
         last_error = 'too many attempts; the last one: ' || coalesce(last_error, 'did not end')
    FROM hopeless
   WHERE k.id = hopeless.id
  RETURNING k.id AS key_id, k.attempts, k.attempts AS unheard, k.recovery_point, $7::text AS process, $8::text AS host,
            k.recovery_point AS to_point, 'parked' AS outcome, 'needs_person' AS reason, k.last_error AS error
))sql",
                                         idempotency::kTellHistorySql, "\nSELECT key_id FROM ended\n");
constexpr pg::Statement kParkHopeless{"park_hopeless_keys", kParkHopelessSql.data()};

constexpr pg::Statement kTakeAbandoned{"take_abandoned_keys", R"sql(
WITH abandoned AS MATERIALIZED (
  SELECT id FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL
     AND created_at < now() - make_interval(secs => $1::bigint)
     AND last_run_at < now() - make_interval(secs => least($2::bigint * power(2, least(completions, 20)), $3::bigint))
     AND (lease IS NULL OR locked_at < now() - make_interval(secs => $4::bigint))
     AND completions < $5::bigint
   ORDER BY created_at
   LIMIT $6::bigint
     FOR UPDATE SKIP LOCKED
)
UPDATE idempotency_keys k
   SET lease = $7, locked_at = now(), last_run_at = now(),
       attempts = attempts + 1, completions = completions + 1
  FROM abandoned
 WHERE k.id = abandoned.id
RETURNING k.id, k.lease, k.user_id, k.idempotency_key, k.request_method, k.request_path, k.recovery_point,
          k.attempts, k.traceparent
)sql"};

// Nobody has worked on these keys, so the attempt does not count.
constexpr auto kGiveBackTakenSql = joined(R"sql(
WITH taken AS MATERIALIZED (
  SELECT id FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL AND lease = ANY ($1::uuid[])
     FOR UPDATE SKIP LOCKED
), ended AS (
  UPDATE idempotency_keys k
     SET lease = NULL, locked_at = NULL, completions = completions - 1,
         last_error = 'taken by a completer that never knew'
    FROM taken
   WHERE k.id = taken.id
  RETURNING k.id AS key_id, k.attempts, k.attempts - 1 AS unheard, k.recovery_point, $2::text AS process,
            $3::text AS host, k.recovery_point AS to_point, 'released' AS outcome, 'database_unavailable' AS reason,
            k.last_error AS error
))sql",
                                          idempotency::kTellHistorySql, "\nSELECT key_id FROM ended\n");
constexpr pg::Statement kGiveBackTaken{"give_back_taken_keys", kGiveBackTakenSql.data()};

pg::Params params_of(const AbandonmentPolicy& policy, std::int64_t batch) {
  return {std::to_string(policy.grace.count()),         std::to_string(policy.pause.count()),
          std::to_string(policy.longest_pause.count()), std::to_string(policy.lease_time.count()),
          std::to_string(policy.max_completions),       std::to_string(batch)};
}

}  // namespace

pg::Query park_hopeless(const AbandonmentPolicy& policy, std::int64_t batch,
                        const idempotency::Worker& worker) {
  pg::Params params = params_of(policy, batch);
  params.emplace_back(worker.process);
  params.emplace_back(worker.host);
  return {kParkHopeless, std::move(params)};
}

pg::Query take_abandoned(const AbandonmentPolicy& policy, std::int64_t batch, const std::string& token) {
  pg::Params params = params_of(policy, batch);
  params.emplace_back(token);
  return {kTakeAbandoned, std::move(params)};
}

pg::Query give_back_taken(const std::vector<std::string>& tokens, const idempotency::Worker& worker) {
  std::string array;
  for (const std::string& token : tokens) array.append(array.empty() ? "{" : ",").append(token);
  return {kGiveBackTaken, {array + '}', worker.process, worker.host}};
}

std::vector<AbandonedKey> read_abandoned(const pg::Result& result) {
  std::vector<AbandonedKey> keys;
  keys.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    const auto text = [&](const char* column) { return std::string(result.text(row, column)); };
    idempotency::Lease lease{text("user_id"), text("idempotency_key"), text("id"), text("lease")};
    // Nobody knows any more which request made the key.
    lease.ids =
        std::make_shared<RequestIds>(RequestIds{.key_id = lease.key_id, .traceparent = text("traceparent")});
    keys.push_back({std::move(lease), text("request_method"), text("request_path"), text("recovery_point"),
                    result.integer(row, "attempts")});
  }
  return keys;
}

std::vector<pg::Statement> taking_statements() { return {kParkHopeless, kTakeAbandoned, kGiveBackTaken}; }

}  // namespace rocket::completer
