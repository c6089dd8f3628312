#include "completer/abandoned_keys.h"

#include <utility>

namespace rocket::completer {
namespace {

// Both statements: $1 grace, $2 pause, $3 longest pause, $4 lease time, $5 most completions, $6 batch. The
// second statement also has $7 token. MATERIALIZED, because the planner may run a plain subquery twice and
// exceed the LIMIT.
constexpr pg::Statement kParkHopeless{"park_hopeless_keys", R"sql(
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
)
UPDATE idempotency_keys k
   SET parked_at = now(), lease = NULL, locked_at = NULL,
       last_error = 'too many attempts; the last one: ' || coalesce(last_error, 'did not end')
  FROM hopeless
 WHERE k.id = hopeless.id
)sql"};

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
          k.attempts
)sql"};

// Nobody has worked on these keys, so the attempt does not count.
constexpr pg::Statement kGiveBackTaken{"give_back_taken_keys", R"sql(
WITH taken AS MATERIALIZED (
  SELECT id FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL AND lease = ANY ($1::uuid[])
     FOR UPDATE SKIP LOCKED
)
UPDATE idempotency_keys k
   SET lease = NULL, locked_at = NULL, completions = completions - 1,
       last_error = 'taken by a completer that never knew'
  FROM taken
 WHERE k.id = taken.id
)sql"};

constexpr pg::Statement kListParked{"list_parked_keys", R"sql(
SELECT k.id, users.email, k.request_method, k.request_path, k.recovery_point, k.attempts, k.created_at,
       k.parked_at, k.last_error
  FROM idempotency_keys k JOIN users ON users.id = k.user_id
 WHERE k.parked_at IS NOT NULL
 ORDER BY k.parked_at
)sql"};

// Moves last_run_at back, so that no pause is left. created_at is the earliest time that it can have.
constexpr pg::Statement kResumeParked{"resume_parked_key", R"sql(
WITH resumed AS (
  UPDATE idempotency_keys
     SET parked_at = NULL, resumed_at = now(), completions = 0, last_run_at = created_at
   WHERE id = $1 AND parked_at IS NOT NULL
  RETURNING id, user_id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
  SELECT 'key_resumed', 'user', user_id, user_id, jsonb_build_object('operator', $2::text, 'key_id', id) FROM resumed
)
SELECT id FROM resumed
)sql"};

pg::Params params_of(const AbandonmentPolicy& policy, std::int64_t batch) {
  return {std::to_string(policy.grace.count()),         std::to_string(policy.pause.count()),
          std::to_string(policy.longest_pause.count()), std::to_string(policy.lease_time.count()),
          std::to_string(policy.max_completions),       std::to_string(batch)};
}

}  // namespace

pg::Query park_hopeless(const AbandonmentPolicy& policy, std::int64_t batch) {
  return {kParkHopeless, params_of(policy, batch)};
}

pg::Query take_abandoned(const AbandonmentPolicy& policy, std::int64_t batch, const std::string& token) {
  pg::Params params = params_of(policy, batch);
  params.emplace_back(token);
  return {kTakeAbandoned, std::move(params)};
}

pg::Query give_back_taken(const std::vector<std::string>& tokens) {
  std::string array;
  for (const std::string& token : tokens) array.append(array.empty() ? "{" : ",").append(token);
  return {kGiveBackTaken, {array + '}'}};
}

std::vector<AbandonedKey> read_abandoned(const pg::Result& result) {
  std::vector<AbandonedKey> keys;
  keys.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    const auto text = [&](const char* column) { return std::string(result.text(row, column)); };
    keys.push_back({{text("user_id"), text("idempotency_key"), text("id"), text("lease")},
                    text("request_method"),
                    text("request_path"),
                    text("recovery_point"),
                    result.integer(row, "attempts")});
  }
  return keys;
}

pg::Query list_parked() { return {kListParked, {}}; }

std::vector<pg::Statement> taking_statements() { return {kParkHopeless, kTakeAbandoned, kGiveBackTaken}; }

pg::Query resume_parked(const std::string& key_id, const std::string& operator_name) {
  return {kResumeParked, {key_id, operator_name}};
}

}  // namespace rocket::completer
