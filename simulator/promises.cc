#include "simulator/promises.h"

#include <string>
#include <utility>

// The time from which a completer may take an unfinished key; see completer/abandoned_keys.cc. It is a macro
// because the compiler joins only literals. $1 lease time, $2 grace, $3 pause, $4 longest pause.
#define ROCKET_DUE_SINCE                                                      \
  "greatest(key.created_at + make_interval(secs => $2::bigint),"              \
  " key.last_run_at + make_interval(secs =>"                                  \
  "   least($3::bigint * power(2, least(key.completions, 20)), $4::bigint))," \
  " key.locked_at + make_interval(secs => $1::bigint))"

// An operator has ended this request, wherever it stood, and knows what is done already.
#define ROCKET_IS_CLOSED "coalesce(key.response_body ~ '\"code\": ?\"request_closed\"', false)"

namespace rocket::simulator {
namespace {

// The checks below read whole tables and use no unique index. So they work, and end, even if the constraint
// that they check is missing.

constexpr const char* kOneRowPerKey = R"sql(
SELECT id AS offender
  FROM (SELECT id, count(*) OVER (PARTITION BY user_id, idempotency_key) AS rows FROM idempotency_keys) key
 WHERE rows > 1
)sql";

// Uses regular expressions instead of a cast: a body that is not JSON must be reported and must not end the
// check.
constexpr const char* kFinishedRideIsCharged = R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN (SELECT idempotency_key_id, count(*) AS rides, min(id)::text AS id, min(stripe_charge_id) AS charge_id
               FROM rides GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id
 WHERE key.request_path = '/rides' AND key.response_code = 201
   AND (made.rides IS DISTINCT FROM 1 OR made.charge_id IS NULL
        OR substring(key.response_body FROM '"id": ?([0-9]+)') IS DISTINCT FROM made.id
        OR substring(key.response_body FROM '"stripe_charge_id": ?"([^"]*)"') IS DISTINCT FROM made.charge_id)
)sql";

constexpr const char* kRefusedRideIsNotCharged =
    "SELECT key.id AS offender"
    "  FROM idempotency_keys key"
    "  LEFT JOIN (SELECT idempotency_key_id, count(*) AS rides, count(stripe_charge_id) AS charges"
    "               FROM rides GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id"
    " WHERE key.request_path = '/rides' AND key.response_code <> 201 AND NOT " ROCKET_IS_CLOSED
    "   AND (made.rides IS DISTINCT FROM 1 OR made.charges > 0)";

// No client may take it for a success, or repeat it.
constexpr const char* kClosedHasItsAnswer =
    "SELECT key.id AS offender FROM idempotency_keys key"
    " WHERE " ROCKET_IS_CLOSED " AND (key.response_code IS DISTINCT FROM 410 OR key.finished_at IS NULL)";

constexpr const char* kPointsFit = R"sql(
SELECT key.id AS offender
  FROM idempotency_keys key
  LEFT JOIN (SELECT idempotency_key_id, count(*) AS rides, count(stripe_charge_id) AS charges
               FROM rides GROUP BY idempotency_key_id) made ON made.idempotency_key_id = key.id
 WHERE key.request_path = '/rides'
   AND CASE key.recovery_point WHEN 'started' THEN made.rides IS NOT NULL
                               WHEN 'ride_created' THEN made.rides IS NULL OR made.charges > 0
                               WHEN 'charge_created' THEN made.charges IS DISTINCT FROM 1
                               ELSE false END
)sql";

// The enqueuer removes the receipts that it delivers. Each ride may have only one receipt that still waits.
constexpr const char* kOneReceiptPerRide = R"sql(
SELECT coalesce(ride.idempotency_key_id::text, 'ride ' || coalesce(receipt.ride_id, '(none)')) AS offender
  FROM (SELECT job_args->>'ride_id' AS ride_id FROM staged_jobs WHERE job_name = 'send_ride_receipt'
         GROUP BY 1 HAVING count(*) > 1) receipt
  LEFT JOIN rides ride ON ride.id::text = receipt.ride_id
)sql";

constexpr const char* kReceiptsEarned = R"sql(
SELECT coalesce(ride.idempotency_key_id::text, 'job ' || job.job_id) AS offender
  FROM staged_jobs job
  LEFT JOIN rides ride ON ride.id::text = job.job_args->>'ride_id'
  LEFT JOIN idempotency_keys key ON key.id = ride.idempotency_key_id
 WHERE job.job_name = 'send_ride_receipt'
   AND (ride.stripe_charge_id IS NULL OR (key.id IS NOT NULL AND key.response_code IS DISTINCT FROM 201))
)sql";

constexpr const char* kJobIdsDiffer = R"sql(
SELECT 'job ' || job_id AS offender FROM staged_jobs GROUP BY job_id HAVING count(*) > 1
)sql";

// $5: how long a request may be due.
constexpr const char* kNothingSilentlyLost =
    "SELECT key.id AS offender FROM idempotency_keys key"
    " WHERE key.finished_at IS NULL AND key.parked_at IS NULL"
    "   AND " ROCKET_DUE_SINCE " < now() - make_interval(secs => $5::bigint)";

constexpr const char* kNoChargeLost =
    "SELECT key.id AS offender FROM idempotency_keys key JOIN rides ride ON ride.idempotency_key_id = key.id"
    " WHERE key.finished_at IS NULL AND key.parked_at IS NULL AND ride.stripe_charge_id IS NOT NULL"
    "   AND " ROCKET_DUE_SINCE " < now() - make_interval(secs => $5::bigint)";

constexpr const char* kBalancesAddUp = R"sql(
SELECT 'user ' || coalesce(account.user_id, made.user_id) AS offender
  FROM accounts account
  FULL JOIN (SELECT user_id, sum(amount) AS total FROM deposits GROUP BY user_id) made
         ON made.user_id = account.user_id
 WHERE coalesce(account.balance, 0) <> coalesce(made.total, 0)
)sql";

constexpr const char* kFinishedDepositIsMade = R"sql(
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
)sql";

constexpr const char* kAuditedOnce = R"sql(
SELECT made.idempotency_key_id AS offender
  FROM (SELECT 'created' AS action, 'ride' AS type, id, idempotency_key_id FROM rides
        UNION ALL SELECT 'cancelled', 'ride', ride_id, idempotency_key_id FROM refunds
                   WHERE stripe_refund_id IS NOT NULL
        UNION ALL SELECT 'created', 'deposit', id, idempotency_key_id FROM deposits) made
  LEFT JOIN (SELECT action, resource_type, resource_id, count(*) AS records
               FROM audit_records GROUP BY action, resource_type, resource_id) audit
         ON audit.action = made.action AND audit.resource_type = made.type AND audit.resource_id = made.id
 WHERE audit.records IS DISTINCT FROM 1
)sql";

constexpr const char* kOneRefundPerRide = R"sql(
SELECT 'ride ' || ride_id AS offender FROM refunds GROUP BY ride_id HAVING count(*) > 1
)sql";

constexpr const char* kRefundedRideIsCharged = R"sql(
SELECT 'ride ' || refund.ride_id AS offender
  FROM refunds refund LEFT JOIN rides ride ON ride.id = refund.ride_id
 WHERE ride.stripe_charge_id IS DISTINCT FROM refund.stripe_charge_id
)sql";

constexpr const char* kChargesRefundedOnce = R"sql(
SELECT 'ride ' || ride_id AS offender
  FROM (SELECT ride_id, count(*) OVER (PARTITION BY stripe_charge_id) AS refunds FROM refunds) refund
 WHERE refunds > 1
)sql";

constexpr const char* kFinishedCancellationIsRefunded = R"sql(
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
)sql";

constexpr const char* kOneRefundReceiptPerRide = R"sql(
SELECT 'ride ' || coalesce(job_args->>'ride_id', '(none)') AS offender
  FROM staged_jobs WHERE job_name = 'send_refund_receipt'
 GROUP BY job_args->>'ride_id' HAVING count(*) > 1
)sql";

constexpr const char* kRefundReceiptsEarned = R"sql(
SELECT 'job ' || job.job_id AS offender
  FROM staged_jobs job LEFT JOIN refunds refund ON refund.ride_id::text = job.job_args->>'ride_id'
 WHERE job.job_name = 'send_refund_receipt' AND refund.stripe_refund_id IS NULL
)sql";

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

std::string one_row_per_key(const endpoints::Effect& effect) {
  return "SELECT idempotency_key_id AS offender FROM " + effect.table +
         " GROUP BY idempotency_key_id HAVING count(*) > 1";
}

std::string shared(const endpoints::Effect& effect, const std::string& column) {
  return "SELECT idempotency_key_id AS offender FROM (SELECT idempotency_key_id, count(*) OVER (PARTITION "
         "BY " +
         column + ") AS rows FROM " + effect.table + " WHERE " + column + " IS NOT NULL) made WHERE rows > 1";
}

// A regular expression for the paths of an endpoint.
std::string expression_of(const http::PathPattern& path) {
  return '^' + path.filled(std::vector<std::string>(path.variables().size(), "[^/]+")) + '$';
}

// A key of an endpoint that nobody knows is an offender, too.
std::string unknown_points(const endpoints::Endpoints& endpoints) {
  std::string sql = "SELECT id AS offender FROM idempotency_keys WHERE CASE";
  for (const endpoints::Endpoint& endpoint : endpoints) {
    sql += " WHEN request_method = '" + endpoint.method + "' AND request_path ~ '" +
           expression_of(endpoint.path) + "' THEN recovery_point NOT IN ('finished'";
    for (const auto& step : endpoint.flow.steps()) sql += ", '" + std::string(step.recovery_point) + "'";
    sql += ")";
  }
  return sql + " ELSE true END";
}

// Keys are reaped long after they finish. The rows that they made stay, and show which keys were removed too
// early.
std::string dropped_keys(const endpoints::Endpoints& endpoints) {
  std::string made;
  for (const endpoints::Endpoint& endpoint : endpoints) {
    for (const endpoints::Effect& effect : endpoint.effects) {
      made += (made.empty() ? "" : " UNION ALL ") +
              ("SELECT idempotency_key_id, created_at FROM " + effect.table);
    }
  }
  return "SELECT made.idempotency_key_id AS offender FROM (" + made +
         ") made LEFT JOIN idempotency_keys key ON key.id = made.idempotency_key_id"
         " WHERE key.id IS NULL AND made.created_at > now() - make_interval(secs => $1::bigint)";
}

}  // namespace

Promise::Promise(std::string name, std::string offenders, Parameters parameters)
    : name_(std::move(name)),
      sql_(std::move(offenders)),
      parameters_(std::move(parameters)),
      statement_{name_.c_str(), sql_.c_str()} {}

pg::Query Promise::offenders(const Limits& limits) const {
  pg::Params bound;
  for (const auto parameter : parameters_) bound.emplace_back(std::to_string((limits.*parameter).count()));
  return {statement_, std::move(bound)};
}

Promises promises_of(const endpoints::Endpoints& endpoints) {
  Promises all;
  all.emplace_back("one row per user and key", kOneRowPerKey);
  for (const endpoints::Endpoint& endpoint : endpoints) {
    for (const endpoints::Effect& effect : endpoint.effects) {
      all.emplace_back("one row of " + effect.table + " per key", one_row_per_key(effect));
      for (const std::string& column : {effect.call_key, effect.call_id}) {
        if (column.empty()) continue;
        all.emplace_back("no two rows of " + effect.table + " share a " + column, shared(effect, column));
      }
    }
  }
  all.emplace_back("every recovery point is known", unknown_points(endpoints));
  all.emplace_back("no key is dropped early", dropped_keys(endpoints),
                   Promise::Parameters{&Limits::key_retention});
  all.emplace_back(
      "no unfinished request is silently lost", kNothingSilentlyLost,
      Promise::Parameters{&Limits::lease_time, &Limits::completer_grace, &Limits::completer_pause,
                          &Limits::completer_longest_pause, &Limits::due});
  all.emplace_back(
      "no charge is lost", kNoChargeLost,
      Promise::Parameters{&Limits::lease_time, &Limits::completer_grace, &Limits::completer_pause,
                          &Limits::completer_longest_pause, &Limits::due_with_charge});
  all.emplace_back("a finished ride is charged, and its answer names both", kFinishedRideIsCharged);
  all.emplace_back("a refused ride is not charged", kRefusedRideIsNotCharged);
  all.emplace_back("a closed request has its one answer", kClosedHasItsAnswer);
  all.emplace_back("a recovery point says what exists", kPointsFit);
  all.emplace_back("one staged receipt per ride", kOneReceiptPerRide);
  all.emplace_back("receipts are for finished, charged rides", kReceiptsEarned);
  all.emplace_back("no two staged jobs share an id", kJobIdsDiffer);
  all.emplace_back("balances are the sums of deposits", kBalancesAddUp);
  all.emplace_back("a finished deposit is made, and its answer names it", kFinishedDepositIsMade);
  all.emplace_back("one refund per ride", kOneRefundPerRide);
  all.emplace_back("a refund is of its ride's charge", kRefundedRideIsCharged);
  all.emplace_back("no charge is refunded twice", kChargesRefundedOnce);
  all.emplace_back("a cancelled ride is refunded, and its answer names both",
                   kFinishedCancellationIsRefunded);
  all.emplace_back("one refund receipt per ride", kOneRefundReceiptPerRide);
  all.emplace_back("every refund receipt is for a refund", kRefundReceiptsEarned);
  all.emplace_back("every ride, cancellation and deposit is audited once", kAuditedOnce);
  return all;
}

pg::Query count_unfinished(const Limits& limits) {
  const auto text = [](std::chrono::seconds duration) { return std::to_string(duration.count()); };
  return {kCountUnfinished,
          {text(limits.lease_time), text(limits.completer_grace), text(limits.completer_pause),
           text(limits.completer_longest_pause)}};
}

}  // namespace rocket::simulator
