#include "simulator/promises.h"

#include <string>

// The time from which a completer may take an unfinished key; see completer/abandoned_keys.cc. It is a macro
// because the compiler joins only literals. $1 lease time, $2 grace, $3 pause, $4 longest pause.
#define ROCKET_DUE_SINCE                                                      \
  "greatest(key.created_at + make_interval(secs => $2::bigint),"              \
  " key.last_run_at + make_interval(secs =>"                                  \
  "   least($3::bigint * power(2, least(key.completions, 20)), $4::bigint))," \
  " key.locked_at + make_interval(secs => $1::bigint))"

namespace rocket::simulator {
namespace {

// The checks below read whole tables and use no unique index. So they work, and end, even if the constraint
// that they check is missing.

constexpr pg::Statement kOneRowPerKey{"promise_one_row_per_key", R"sql(
SELECT id AS offender
  FROM (SELECT id, count(*) OVER (PARTITION BY user_id, idempotency_key) AS rows FROM idempotency_keys) key
 WHERE rows > 1
)sql"};

constexpr pg::Statement kOneRidePerKey{"promise_one_ride_per_key", R"sql(
SELECT idempotency_key_id AS offender FROM rides GROUP BY idempotency_key_id HAVING count(*) > 1
)sql"};

// Uses regular expressions instead of a cast: a body that is not JSON must be reported and must not end the
// check.
constexpr pg::Statement kFinishedRideIsCharged{"promise_finished_ride_is_charged", R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN (SELECT idempotency_key_id, count(*) AS rides, min(id)::text AS id, min(stripe_charge_id) AS charge_id
               FROM rides GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id
 WHERE key.request_path = '/rides' AND key.response_code = 201
   AND (made.rides IS DISTINCT FROM 1 OR made.charge_id IS NULL
        OR substring(key.response_body FROM '"id": ?([0-9]+)') IS DISTINCT FROM made.id
        OR substring(key.response_body FROM '"stripe_charge_id": ?"([^"]*)"') IS DISTINCT FROM made.charge_id)
)sql"};

constexpr pg::Statement kRefusedRideIsNotCharged{"promise_refused_ride_is_not_charged", R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN (SELECT idempotency_key_id, count(*) AS rides, count(stripe_charge_id) AS charges
               FROM rides GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id
 WHERE key.request_path = '/rides' AND key.response_code <> 201
   AND (made.rides IS DISTINCT FROM 1 OR made.charges > 0)
)sql"};

constexpr pg::Statement kChargeIdsDiffer{"promise_charge_ids_differ", R"sql(
SELECT idempotency_key_id AS offender
  FROM (SELECT idempotency_key_id, count(*) OVER (PARTITION BY stripe_charge_id) AS rides
          FROM rides WHERE stripe_charge_id IS NOT NULL) ride
 WHERE rides > 1
)sql"};

constexpr pg::Statement kChargeKeysDiffer{"promise_charge_keys_differ", R"sql(
SELECT idempotency_key_id AS offender
  FROM (SELECT idempotency_key_id, count(*) OVER (PARTITION BY charge_key) AS rides FROM rides) ride
 WHERE rides > 1
)sql"};

constexpr pg::Statement kPointsFit{"promise_points_fit", R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN (SELECT idempotency_key_id, count(*) AS rides, count(stripe_charge_id) AS charges
               FROM rides GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id
 WHERE key.request_path = '/rides'
   AND CASE key.recovery_point WHEN 'started' THEN made.rides IS NOT NULL
                               WHEN 'ride_created' THEN made.rides IS NULL OR made.charges > 0
                               WHEN 'charge_created' THEN made.charges IS DISTINCT FROM 1
                               ELSE false END
)sql"};

constexpr pg::Statement kPointsKnown{"promise_points_known", R"sql(
SELECT id AS offender FROM idempotency_keys
 WHERE (request_path = '/rides'
        AND recovery_point NOT IN ('started', 'ride_created', 'charge_created', 'finished'))
    OR (request_path = '/deposits' AND recovery_point NOT IN ('started', 'finished'))
    OR (request_method = 'DELETE' AND request_path ~ '^/rides/[^/]*$'
        AND recovery_point NOT IN ('started', 'refund_prepared', 'refund_created', 'finished'))
)sql"};

// The enqueuer removes the receipts that it delivers. Each ride may have only one receipt that still waits.
constexpr pg::Statement kOneReceiptPerRide{"promise_one_receipt_per_ride", R"sql(
SELECT coalesce(ride.idempotency_key_id::text, 'ride ' || coalesce(receipt.ride_id, '(none)')) AS offender
  FROM (SELECT job_args->>'ride_id' AS ride_id FROM staged_jobs WHERE job_name = 'send_ride_receipt'
         GROUP BY 1 HAVING count(*) > 1) receipt
  LEFT JOIN rides ride ON ride.id::text = receipt.ride_id
)sql"};

constexpr pg::Statement kReceiptsEarned{"promise_receipts_earned", R"sql(
SELECT coalesce(ride.idempotency_key_id::text, 'job ' || job.job_id) AS offender
  FROM staged_jobs job
  LEFT JOIN rides ride ON ride.id::text = job.job_args->>'ride_id'
  LEFT JOIN idempotency_keys key ON key.id = ride.idempotency_key_id
 WHERE job.job_name = 'send_ride_receipt'
   AND (ride.stripe_charge_id IS NULL OR (key.id IS NOT NULL AND key.response_code IS DISTINCT FROM 201))
)sql"};

constexpr pg::Statement kJobIdsDiffer{"promise_job_ids_differ", R"sql(
SELECT 'job ' || job_id AS offender FROM staged_jobs GROUP BY job_id HAVING count(*) > 1
)sql"};

// $5: how long a request may be due.
constexpr const char* kOverdueSql =
    "SELECT key.id AS offender FROM idempotency_keys key"
    " WHERE key.finished_at IS NULL AND key.parked_at IS NULL"
    "   AND " ROCKET_DUE_SINCE " < now() - make_interval(secs => $5::bigint)";
constexpr pg::Statement kNothingSilentlyLost{"promise_nothing_silently_lost", kOverdueSql};

constexpr const char* kOverdueWithChargeSql =
    "SELECT key.id AS offender FROM idempotency_keys key JOIN rides ride ON ride.idempotency_key_id = key.id"
    " WHERE key.finished_at IS NULL AND key.parked_at IS NULL AND ride.stripe_charge_id IS NOT NULL"
    "   AND " ROCKET_DUE_SINCE " < now() - make_interval(secs => $5::bigint)";
constexpr pg::Statement kNoChargeLost{"promise_no_charge_lost", kOverdueWithChargeSql};

// Keys are reaped long after they finish. The rides, refunds and deposits that they made stay, and show which
// keys were removed too early.
constexpr pg::Statement kNoKeyDropped{"promise_no_key_dropped", R"sql(
SELECT made.idempotency_key_id AS offender
  FROM (SELECT idempotency_key_id, created_at FROM rides
        UNION ALL SELECT idempotency_key_id, created_at FROM refunds
        UNION ALL SELECT idempotency_key_id, created_at FROM deposits) made
  LEFT JOIN idempotency_keys key ON key.id = made.idempotency_key_id
 WHERE key.id IS NULL AND made.created_at > now() - make_interval(secs => $1::bigint)
)sql"};

constexpr pg::Statement kBalancesAddUp{"promise_balances_add_up", R"sql(
SELECT 'user ' || coalesce(account.user_id, made.user_id) AS offender
  FROM accounts account
  FULL JOIN (SELECT user_id, sum(amount) AS total FROM deposits GROUP BY user_id) made
         ON made.user_id = account.user_id
 WHERE coalesce(account.balance, 0) <> coalesce(made.total, 0)
)sql"};

constexpr pg::Statement kOneDepositPerKey{"promise_one_deposit_per_key", R"sql(
SELECT idempotency_key_id AS offender FROM deposits GROUP BY idempotency_key_id HAVING count(*) > 1
)sql"};

constexpr pg::Statement kFinishedDepositIsMade{"promise_finished_deposit_is_made", R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN (SELECT idempotency_key_id, count(*) AS deposits, min(id)::text AS id, min(amount)::text AS amount
               FROM deposits GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id
 WHERE key.request_path = '/deposits'
   AND CASE WHEN key.response_code = 201
            THEN made.deposits IS DISTINCT FROM 1 OR made.amount IS DISTINCT FROM key.request_params->>'amount'
                 OR substring(key.response_body FROM '"id": ?([0-9]+)') IS DISTINCT FROM made.id
                 OR substring(key.response_body FROM '"amount": ?([0-9]+)') IS DISTINCT FROM made.amount
            ELSE made.deposits IS NOT NULL END
)sql"};

constexpr pg::Statement kAuditedOnce{"promise_audited_once", R"sql(
SELECT made.idempotency_key_id AS offender
  FROM (SELECT 'created' AS action, 'ride' AS type, id, idempotency_key_id FROM rides
        UNION ALL SELECT 'cancelled', 'ride', ride_id, idempotency_key_id FROM refunds
                   WHERE stripe_refund_id IS NOT NULL
        UNION ALL SELECT 'created', 'deposit', id, idempotency_key_id FROM deposits) made
  LEFT JOIN (SELECT action, resource_type, resource_id, count(*) AS records
               FROM audit_records GROUP BY action, resource_type, resource_id) audit
         ON audit.action = made.action AND audit.resource_type = made.type AND audit.resource_id = made.id
 WHERE audit.records IS DISTINCT FROM 1
)sql"};

constexpr pg::Statement kOneRefundPerRide{"promise_one_refund_per_ride", R"sql(
SELECT 'ride ' || ride_id AS offender FROM refunds GROUP BY ride_id HAVING count(*) > 1
)sql"};

constexpr pg::Statement kRefundedRideIsCharged{"promise_refunded_ride_is_charged", R"sql(
SELECT 'ride ' || refund.ride_id AS offender
  FROM refunds refund LEFT JOIN rides ride ON ride.id = refund.ride_id
 WHERE ride.stripe_charge_id IS DISTINCT FROM refund.stripe_charge_id
)sql"};

constexpr pg::Statement kRefundsDiffer{"promise_refunds_differ", R"sql(
SELECT 'ride ' || ride_id AS offender
  FROM (SELECT ride_id, count(*) OVER (PARTITION BY stripe_charge_id) AS charges,
               count(*) OVER (PARTITION BY refund_key) AS refund_keys,
               count(*) OVER (PARTITION BY stripe_refund_id) AS refunds, stripe_refund_id
          FROM refunds) refund
 WHERE charges > 1 OR refund_keys > 1 OR (refunds > 1 AND stripe_refund_id IS NOT NULL)
)sql"};

constexpr pg::Statement kFinishedCancellationIsRefunded{"promise_finished_cancellation_is_refunded", R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN refunds refund ON refund.ride_id::text = ltrim(split_part(key.request_path, '/', 3), '0')
 WHERE key.request_method = 'DELETE' AND key.request_path ~ '^/rides/[^/]*$'
   AND CASE WHEN key.recovery_point = 'refund_prepared' THEN refund.ride_id IS NULL
            WHEN key.recovery_point = 'refund_created' THEN refund.stripe_refund_id IS NULL
            WHEN key.response_code = 200
            THEN refund.stripe_refund_id IS NULL
                 OR substring(key.response_body FROM '"id": ?([0-9]+)') IS DISTINCT FROM refund.ride_id::text
                 OR substring(key.response_body FROM '"stripe_refund_id": ?"([^"]*)"')
                    IS DISTINCT FROM refund.stripe_refund_id
            ELSE false END
)sql"};

constexpr pg::Statement kOneRefundReceiptPerRide{"promise_one_refund_receipt_per_ride", R"sql(
SELECT 'ride ' || coalesce(job_args->>'ride_id', '(none)') AS offender
  FROM staged_jobs WHERE job_name = 'send_refund_receipt'
 GROUP BY job_args->>'ride_id' HAVING count(*) > 1
)sql"};

constexpr pg::Statement kRefundReceiptsEarned{"promise_refund_receipts_earned", R"sql(
SELECT 'job ' || job.job_id AS offender
  FROM staged_jobs job LEFT JOIN refunds refund ON refund.ride_id::text = job.job_args->>'ride_id'
 WHERE job.job_name = 'send_refund_receipt' AND refund.stripe_refund_id IS NULL
)sql"};

constexpr const char* kCountUnfinishedSql =
    "SELECT count(*) FILTER (WHERE parked_at IS NULL AND due_since > now() AND leased) AS leased,"
    "       count(*) FILTER (WHERE parked_at IS NULL AND due_since > now() AND NOT leased) AS waiting,"
    "       count(*) FILTER (WHERE parked_at IS NULL AND due_since <= now()) AS due,"
    "       count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked"
    "  FROM (SELECT parked_at, " ROCKET_DUE_SINCE
    " AS due_since,"
    "               coalesce(locked_at > now() - make_interval(secs => $1::bigint), false) AS leased"
    "          FROM idempotency_keys key WHERE finished_at IS NULL) unfinished";
constexpr pg::Statement kCountUnfinished{"count_unfinished_keys", kCountUnfinishedSql};

}  // namespace

pg::Query Promise::query(const Limits& limits) const {
  pg::Params bound;
  for (const auto parameter : parameters) bound.emplace_back(std::to_string((limits.*parameter).count()));
  return {offenders, std::move(bound)};
}

const std::vector<Promise>& promises() {
  static const std::vector<Promise> all{
      {"one row per user and key", kOneRowPerKey, {}},
      {"one ride per key", kOneRidePerKey, {}},
      {"a finished ride is charged, and its answer names both", kFinishedRideIsCharged, {}},
      {"a refused ride is not charged", kRefusedRideIsNotCharged, {}},
      {"no two rides share a charge", kChargeIdsDiffer, {}},
      {"no two rides share a charge key", kChargeKeysDiffer, {}},
      {"a recovery point says what exists", kPointsFit, {}},
      {"every recovery point is known", kPointsKnown, {}},
      {"one staged receipt per ride", kOneReceiptPerRide, {}},
      {"receipts are for finished, charged rides", kReceiptsEarned, {}},
      {"no two staged jobs share an id", kJobIdsDiffer, {}},
      {"no charge is lost",
       kNoChargeLost,
       {&Limits::lease_time, &Limits::completer_grace, &Limits::completer_pause,
        &Limits::completer_longest_pause, &Limits::due_with_charge}},
      {"no unfinished request is silently lost",
       kNothingSilentlyLost,
       {&Limits::lease_time, &Limits::completer_grace, &Limits::completer_pause,
        &Limits::completer_longest_pause, &Limits::due}},
      {"no key is dropped early", kNoKeyDropped, {&Limits::key_retention}},
      {"balances are the sums of deposits", kBalancesAddUp, {}},
      {"one deposit per key", kOneDepositPerKey, {}},
      {"a finished deposit is made, and its answer names it", kFinishedDepositIsMade, {}},
      {"one refund per ride", kOneRefundPerRide, {}},
      {"a refund is of its ride's charge", kRefundedRideIsCharged, {}},
      {"no two refunds share a charge, a key or an id", kRefundsDiffer, {}},
      {"a cancelled ride is refunded, and its answer names both", kFinishedCancellationIsRefunded, {}},
      {"one refund receipt per ride", kOneRefundReceiptPerRide, {}},
      {"every refund receipt is for a refund", kRefundReceiptsEarned, {}},
      {"every ride, cancellation and deposit is audited once", kAuditedOnce, {}},
  };
  return all;
}

pg::Query count_unfinished(const Limits& limits) {
  const auto text = [](std::chrono::seconds duration) { return std::to_string(duration.count()); };
  return {kCountUnfinished,
          {text(limits.lease_time), text(limits.completer_grace), text(limits.completer_pause),
           text(limits.completer_longest_pause)}};
}

}  // namespace rocket::simulator
