#include "endpoints/cancellations.h"

#include <string>
#include <utility>
#include <variant>

#include "endpoints/failures.h"

// A ride is refunded at most once because its refund is one row. The first request makes the row, with the
// key by which the provider knows the refund. Every other request, with any idempotency key or with none,
// finds the row. It then sends the same refund key again, or sees that the refund has been made. So no
// request needs to know of another, and none waits for one that crashed.
namespace rocket::endpoints {
namespace {

using idempotency::ForeignOutcome;

// started → refund_prepared
//
// The ride's own request must finish first: until then, a charge may follow. (Keys are reaped, but never
// unfinished ones.) If two requests come at once, one waits for the other's row and then finds it.
constexpr pg::Statement kPrepareRefund{"prepare_refund", R"sql(
WITH key AS MATERIALIZED (
  SELECT id, user_id, split_part(request_path, '/', 3)::bigint AS ride_id
    FROM idempotency_keys
   WHERE id = $1 AND lease = $2 AND recovery_point = 'started'
     FOR UPDATE
), verdict AS MATERIALIZED (
  SELECT key.id, key.ride_id, ride.stripe_charge_id,
         CASE WHEN ride.id IS NULL THEN 'ride_not_found'
              WHEN own.id IS NOT NULL THEN 'ride_unfinished'
              WHEN ride.stripe_charge_id IS NULL THEN 'ride_not_charged' END AS refusal
    FROM key
    LEFT JOIN rides ride ON ride.id = key.ride_id AND ride.user_id = key.user_id
    LEFT JOIN idempotency_keys own ON own.id = ride.idempotency_key_id AND own.finished_at IS NULL
), refund AS (
  INSERT INTO refunds (ride_id, idempotency_key_id, stripe_charge_id)
  SELECT ride_id, id, stripe_charge_id FROM verdict WHERE refusal IS NULL
  -- No conflict target: two requests at once conflict on the ride and on its charge, and neither may fail.
  ON CONFLICT DO NOTHING
), prepared AS (
  UPDATE idempotency_keys k SET recovery_point = 'refund_prepared'
    FROM verdict WHERE k.id = verdict.id AND verdict.refusal IS NULL
  RETURNING k.recovery_point
), refused AS (
  DELETE FROM idempotency_keys k USING verdict WHERE k.id = verdict.id AND verdict.refusal IS NOT NULL
  RETURNING verdict.refusal
)
SELECT recovery_point, NULL::int AS response_code, NULL::json AS response_body, NULL AS refusal FROM prepared
UNION ALL
SELECT NULL, NULL, NULL, refusal FROM refused
)sql"};

// Reads what the refund needs. The age of the refund key counts from a resume, if there was one: the person
// who resumed the parked request has made sure that the refund may be sent again.
constexpr pg::Statement kLoadRefund{"load_refund", R"sql(
SELECT key.recovery_point, refund.ride_id, refund.refund_key, refund.stripe_charge_id, refund.stripe_refund_id,
       extract(epoch FROM now() - greatest(refund.created_at, key.resumed_at))::bigint AS refund_key_age
  FROM idempotency_keys key
  JOIN refunds refund ON refund.ride_id = split_part(key.request_path, '/', 3)::bigint
 WHERE key.id = $1 AND key.lease = $2 AND key.recovery_point = 'refund_prepared'
)sql"};

// refund_prepared → refund_created
//
// Several requests may come here for one ride. Only the one that finds the refund open stages the receipt.
constexpr pg::Statement kRecordRefund{"record_refund", R"sql(
WITH key AS (
  UPDATE idempotency_keys SET recovery_point = 'refund_created'
   WHERE id = $1 AND lease = $2 AND recovery_point = 'refund_prepared'
  RETURNING *, split_part(request_path, '/', 3)::bigint AS ride_id
), refund AS (
  UPDATE refunds SET stripe_refund_id = $3, refunded_at = now()
    FROM key WHERE refunds.ride_id = key.ride_id AND refunds.stripe_refund_id IS NULL
  RETURNING refunds.ride_id, refunds.stripe_refund_id, key.user_id, key.origin_ip
), receipt AS (
  INSERT INTO staged_jobs (job_name, job_args)
  SELECT 'send_refund_receipt', jsonb_build_object('ride_id', ride_id, 'user_id', user_id,
                                                   'amount_cents', 2000, 'currency', 'usd')
    FROM refund
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'cancelled', 'ride', ride_id, user_id, origin_ip,
         jsonb_build_object('stripe_refund_id', stripe_refund_id)
    FROM refund
)
SELECT recovery_point, response_code, response_body FROM key
)sql"};

// refund_created → finished
constexpr pg::Statement kFinishCancellation{"finish_cancellation", R"sql(
UPDATE idempotency_keys k
   SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
       response_code = 200,
       response_body = (SELECT to_json(answer) FROM
         (SELECT 'Ride cancelled. Your money is on its way back.' AS message, to_json(ride) AS ride FROM
           (SELECT r.id, r.origin_lat, r.origin_lon, r.target_lat, r.target_lon, r.stripe_charge_id, r.created_at,
                   'cancelled' AS state, refund.stripe_refund_id, refund.refunded_at AS cancelled_at
              FROM rides r JOIN refunds refund ON refund.ride_id = r.id
             WHERE r.id = split_part(k.request_path, '/', 3)::bigint) ride) answer)
 WHERE k.id = $1 AND k.lease = $2 AND k.recovery_point = 'refund_created'
RETURNING k.recovery_point, k.response_code, k.response_body
)sql"};

asio::awaitable<ForeignOutcome> refund(payments::ChargeGateway& gateway, RideOptions options,
                                       const pg::Result& loaded) {
  // Another request has made the refund.
  if (auto refunded = loaded.optional_text(0, "stripe_refund_id")) {
    co_return idempotency::Recorded{std::move(*refunded)};
  }
  payments::RefundRequest request{std::string(loaded.text(0, "refund_key")),
                                  std::string(loaded.text(0, "stripe_charge_id")), kPriceCents,
                                  std::string(loaded.text(0, "ride_id"))};
  if (loaded.integer(0, "refund_key_age") > options.charge_repeat_limit.count()) {
    // The provider may have forgotten the key.
    const payments::RefundLookupResult found = co_await gateway.find_refund(request);
    if (const auto* refunded = std::get_if<payments::Refunded>(&found)) {
      co_return idempotency::Recorded{refunded->refund_id};
    }
    if (const auto* none = std::get_if<payments::NoAnswer>(&found)) {
      co_return idempotency::Unanswered{none->reason};
    }
    if (const auto* unknown = std::get_if<payments::Unknown>(&found)) {
      co_return idempotency::NeedsPerson{"the refund is too old to repeat, and cannot be looked up: " +
                                         unknown->reason};
    }
  }
  const payments::RefundResult result = co_await gateway.refund(std::move(request));
  if (const auto* refunded = std::get_if<payments::Refunded>(&result)) {
    co_return idempotency::Recorded{refunded->refund_id};
  }
  if (std::holds_alternative<payments::Rejected>(result)) {
    co_return ended("payment_rejected");
  }
  co_return idempotency::Unanswered{std::get<payments::NoAnswer>(result).reason};
}

}  // namespace

Endpoint cancellations(payments::ChargeGateway& gateway, RideOptions options) {
  const auto refund_ride = [&gateway, options](const pg::Result& loaded) {
    return refund(gateway, options, loaded);
  };
  return {.method = "DELETE",
          .path = http::PathPattern("/rides/{ride_id}"),
          .variables = {{"ride_id", "ride_not_found"}},
          .key = KeyRule::kOptional,
          .flow = {.steps = {{"started", idempotency::LocalPhase{kPrepareRefund}},
                             {"refund_prepared",
                              idempotency::ForeignPhase{kLoadRefund, refund_ride, kRecordRefund}},
                             {"refund_created", idempotency::LocalPhase{kFinishCancellation}}},
                   // Requests with different keys lock the refund of the same ride.
                   .locks_shared_rows = true,
                   .refusal = refused},
          .effects = {{"refunds", "refund_key", "stripe_refund_id"}},
          .example = {"{}", {{"ride_id", {"POST", "/rides", "/ride/id"}}}}};
}

}  // namespace rocket::endpoints
