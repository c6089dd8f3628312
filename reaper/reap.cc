#include "reaper/reap.h"

namespace rocket::reaper {
namespace {

// MATERIALIZED, because the planner may run a plain subquery twice and exceed the LIMIT. The history of a key
// has far fewer than 1000 rows. With that LIMIT the planner does not read all of the table.
constexpr pg::Statement kReapKeys{"reap_keys", R"sql(
WITH old AS MATERIALIZED (
  SELECT id FROM idempotency_keys
   WHERE finished_at < now() - make_interval(secs => $1::bigint)
   ORDER BY finished_at
   LIMIT $2::bigint
     FOR UPDATE SKIP LOCKED
), history AS (
  DELETE FROM key_attempts
   USING old, LATERAL (SELECT key_id, id FROM key_attempts a WHERE a.key_id = old.id ORDER BY a.id LIMIT 1000) gone
   WHERE key_attempts.key_id = gone.key_id AND key_attempts.id = gone.id
)
DELETE FROM idempotency_keys USING old WHERE idempotency_keys.id = old.id
)sql"};

// The oldest rides have the smallest ids. Twice as many as wanted are looked at, so that those that must stay
// do not keep the others.
constexpr pg::Statement kRemoveRides{"remove_rides", R"sql(
WITH oldest AS MATERIALIZED (
  SELECT id, idempotency_key_id, created_at FROM rides ORDER BY id LIMIT 2 * $2::bigint
), old AS MATERIALIZED (
  SELECT id FROM oldest
   WHERE created_at < now() - make_interval(secs => $1::bigint)
     AND NOT EXISTS (SELECT FROM idempotency_keys k WHERE k.id = oldest.idempotency_key_id)
     AND NOT EXISTS (SELECT FROM refunds
                      WHERE ride_id = oldest.id
                        AND (refunded_at IS NULL OR refunded_at >= now() - make_interval(secs => $1::bigint)))
   ORDER BY id LIMIT $2::bigint
), gone AS (
  DELETE FROM refunds USING old WHERE refunds.ride_id = old.id
)
DELETE FROM rides USING old WHERE rides.id = old.id
)sql"};

constexpr pg::Statement kRemoveAuditRecords{
    "remove_audit_records", "SELECT remove_old_audit_records($1::bigint, $2::bigint) AS removed"};

pg::Params params_of(std::chrono::seconds retention, std::int64_t batch) {
  return {std::to_string(retention.count()), std::to_string(batch)};
}

}  // namespace

pg::Query reap(std::chrono::seconds retention, std::int64_t batch) {
  return {kReapKeys, params_of(retention, batch)};
}

pg::Query remove_rides(std::chrono::seconds retention, std::int64_t batch) {
  return {kRemoveRides, params_of(retention, batch)};
}

pg::Query remove_audit_records(std::chrono::seconds retention, std::int64_t batch) {
  return {kRemoveAuditRecords, params_of(retention, batch)};
}

}  // namespace rocket::reaper
