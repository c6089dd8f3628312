#include "rocket/endpoints/cancellations.h"

#include <string>
#include <utility>

#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"
#include "rocket/endpoints/failures.h"
#include "rocket/endpoints/provider_calls.h"

// A ride is refunded at most once because its refund is one row. The first request makes the row, with the
// key by which the provider knows the refund. Every other request, with any idempotency key or with none,
// finds the row. It then sends the same refund key again, or sees that the refund has been made. So no
// request needs to know of another, and none waits for one that crashed.
namespace rocket::endpoints {
namespace {

// started → refund_prepared
//
// The ride's own request must finish first: until then, a charge may follow. (Keys are reaped, but never
// unfinished ones.) If two requests come at once, one waits for the other's row. It sees that row in its next
// statement, but not in this one.
constexpr idempotency::Body kPrepareRefund{R"sql(
wanted AS (
  SELECT key.n, key.id AS key_id, key.user_id, split_part(key.request_path, '/', 3)::bigint AS ride_id FROM key
), verdict AS MATERIALIZED (
  SELECT wanted.n, wanted.key_id, wanted.ride_id, ride.stripe_charge_id,
         CASE WHEN ride.id IS NULL THEN 'ride_not_found'
              WHEN own.id IS NOT NULL THEN 'ride_unfinished'
              WHEN ride.stripe_charge_id IS NULL THEN 'ride_not_charged' END AS refusal
    FROM wanted
    LEFT JOIN rides ride ON ride.id = wanted.ride_id AND ride.user_id = wanted.user_id
    LEFT JOIN idempotency_keys own ON own.id = ride.idempotency_key_id AND own.finished_at IS NULL
), refused AS (
  SELECT n, key_id, refusal FROM verdict WHERE refusal IS NOT NULL
), prepared AS (
  INSERT INTO refunds (ride_id, idempotency_key_id, stripe_charge_id)
  SELECT ride_id, key_id, stripe_charge_id FROM verdict WHERE refusal IS NULL
  -- No conflict target: two requests at once conflict on the ride and on its charge, and neither may fail.
  ON CONFLICT DO NOTHING
))sql",
                                           R"sql(
refund AS (
  SELECT key.n, key.id AS key_id, key.resumed_at, refunds.*
    FROM key JOIN refunds ON refunds.ride_id = split_part(key.request_path, '/', 3)::bigint
))sql"};

// What the refund needs. The age of the refund key counts from a resume, if there was one: the person who
// resumed the parked request has made sure that the refund may be sent again.
constexpr const char* kRefundNeeds = R"sql(
  SELECT refund.n, refund.key_id, refund.ride_id, refund.refund_key, refund.stripe_charge_id, refund.stripe_refund_id,
         (SELECT price_cents FROM rides WHERE rides.id = refund.ride_id) AS price_cents,
         extract(epoch FROM now() - greatest(refund.created_at, refund.resumed_at))::bigint AS refund_key_age
    FROM refund
)sql";

// refund_prepared → refund_created
//
// Several requests may come here for one ride. Only the one that finds the refund open stages the receipt.
constexpr idempotency::Body kRecordRefund{R"sql(
refunded AS (
  UPDATE refunds SET stripe_refund_id = key.recorded, refunded_at = now()
    FROM key
   WHERE refunds.ride_id = split_part(key.request_path, '/', 3)::bigint AND refunds.stripe_refund_id IS NULL
  RETURNING refunds.ride_id, refunds.stripe_refund_id, key.user_id, key.origin_ip, key.traceparent,
            (SELECT price_cents FROM rides WHERE rides.id = refunds.ride_id) AS price_cents
), receipt AS (
  INSERT INTO staged_jobs (job_name, job_args, traceparent)
  SELECT 'send_refund_receipt', jsonb_build_object('ride_id', ride_id, 'user_id', user_id,
                                                   'amount_cents', price_cents, 'currency', 'usd'), traceparent
    FROM refunded
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'cancelled', 'ride', ride_id, user_id, origin_ip,
         jsonb_build_object('stripe_refund_id', stripe_refund_id)
    FROM refunded
))sql"};

// refund_created → finished
constexpr auto kAnswer = joined(R"sql(
  SELECT refund.n, refund.key_id, (SELECT to_json(answer) FROM
           (SELECT 'Ride cancelled. Your money is on its way back.' AS message, to_json(ride) AS ride FROM
             (SELECT )sql",
                                kRideColumns, R"sql(,
                     'cancelled' AS state, refund.stripe_refund_id, refund.refunded_at AS cancelled_at) ride) answer) AS body
    FROM refund JOIN rides r ON r.id = refund.ride_id
)sql");

asio::awaitable<idempotency::ForeignOutcome> refund_ride(payments::ChargeGateway& gateway,
                                                         RideOptions options, const pg::Result& needed,
                                                         SharedRequestIds ids) {
  // Another request has made the refund.
  if (auto refunded = needed.optional_text(0, "stripe_refund_id")) {
    co_return idempotency::Recorded{std::move(*refunded)};
  }
  payments::RefundRequest request{
      std::string(needed.text(0, "refund_key")), std::string(needed.text(0, "stripe_charge_id")),
      needed.integer(0, "price_cents"), std::string(needed.text(0, "ride_id")), std::move(ids)};
  const bool key_is_old = needed.integer(0, "refund_key_age") > options.charge_repeat_limit.count();
  co_return co_await refund(gateway, std::move(request), key_is_old);
}

}  // namespace

Endpoint cancellations(payments::ChargeGateway& gateway, RideOptions options) {
  const auto refund_it = [&gateway, options](const pg::Result& needed, SharedRequestIds ids) {
    return refund_ride(gateway, options, needed, std::move(ids));
  };
  return {.method = "DELETE",
          .path = http::PathPattern("/rides/{ride_id}"),
          .variables = {{"ride_id", "ride_not_found"}},
          .key = KeyRule::kOptional,
          .takes_money = false,
          .flow = idempotency::Flow(
              {.name = "cancellation",
               .owner = kWriterOfCredential.data(),
               .steps = {{"started", idempotency::LocalPhase{kPrepareRefund, true}, true},
                         {"refund_prepared",
                          idempotency::ForeignPhase{kRefundNeeds, refund_it, kRecordRefund}, true},
                         {"refund_created", idempotency::LocalPhase{}}},
               .answer = {200, kAnswer.data()},
               // Requests with different keys lock the refund of the same ride.
               .locks_shared_rows = true,
               .refusal = refused}),
          .effects = {{"refunds", "refund_key", "stripe_refund_id"}},
          .example = {"{}", {{"ride_id", {"POST", "/rides", "/ride/id"}}}}};
}

}  // namespace rocket::endpoints
