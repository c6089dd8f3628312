#include "rocket/idempotency/history.h"

#include "rocket/base/text.h"

namespace rocket::idempotency {
namespace {

constexpr auto kTellRetrySql = joined(R"sql(
WITH ended AS MATERIALIZED (
  SELECT due.key_id, k.attempts, k.attempts - 1 AS unheard, k.recovery_point, due.process, due.host,
         'finished' AS to_point, CASE WHEN due.finishes THEN 'finished' END AS outcome,
         NULL::text AS reason, NULL::text AS error
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bool[], $5::text[], $6::text[]) WITH ORDINALITY
         AS due (key_id, lease, recovery_point, finishes, process, host, n)
    JOIN idempotency_keys k ON k.id = due.key_id AND k.lease = due.lease AND k.recovery_point = due.recovery_point
   ORDER BY due.n
     FOR UPDATE OF k
))sql",
                                      kTellHistorySql, "\nSELECT NULL::bigint AS n LIMIT 0\n");
constexpr pg::SetStatement kTellRetry{"tell_retry", kTellRetrySql.data()};

}  // namespace

pg::Query tell_retry(const Lease& lease, const Worker& worker, std::string_view recovery_point,
                     bool finishes) {
  return {kTellRetry,
          {lease.key_id, lease.token, std::string(recovery_point), finishes ? "true" : "false",
           worker.process, worker.host}};
}

std::vector<pg::Statement> history_statements() { return {kTellRetry}; }

}  // namespace rocket::idempotency
