#include "reaper/reap.h"

namespace rocket::reaper {
namespace {

// MATERIALIZED, because the planner may run a plain subquery twice and exceed the LIMIT.
constexpr pg::Statement kReapKeys{"reap_keys", R"sql(
WITH old AS MATERIALIZED (
  SELECT id FROM idempotency_keys
   WHERE finished_at < now() - make_interval(secs => $1::bigint)
   ORDER BY finished_at
   LIMIT $2::bigint
     FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys USING old WHERE idempotency_keys.id = old.id
)sql"};

}  // namespace

pg::Query reap(std::chrono::seconds retention, std::int64_t batch) {
  return {kReapKeys, {std::to_string(retention.count()), std::to_string(batch)}};
}

}  // namespace rocket::reaper
