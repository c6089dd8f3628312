#include "endpoints/rides.h"

#include <string>
#include <utility>
#include <variant>

#include "endpoints/failures.h"

namespace rocket::endpoints {
namespace {

using idempotency::ForeignOutcome;

// started → ride_created
constexpr pg::SetStatement kCreateRide{"create_rides", R"sql(
WITH key AS (
  UPDATE idempotency_keys k SET recovery_point = 'ride_created'
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS due (id, lease, n)
   WHERE k.id = due.id AND k.lease = due.lease AND k.recovery_point = 'started'
  RETURNING k.*, due.n, nextval('rides_id_seq') AS ride_id
), ride AS (
  INSERT INTO rides (id, idempotency_key_id, user_id, origin_lat, origin_lon, target_lat, target_lon)
  SELECT ride_id, id, user_id, (request_params->>'origin_lat')::float8, (request_params->>'origin_lon')::float8,
         (request_params->>'target_lat')::float8, (request_params->>'target_lon')::float8
    FROM key
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'created', 'ride', ride_id, user_id, origin_ip, request_params FROM key
)
SELECT n, recovery_point, response_code, response_body FROM key
)sql"};

// Reads what the charge needs. The age of the charge key counts from a resume, if there was one: the person
// who resumed the parked ride has made sure that the charge may be sent again. The user is read in a
// subquery: in a join, a planner without statistics might begin at the user and read all of their rides.
constexpr pg::SetStatement kLoadRide{"load_rides", R"sql(
SELECT due.n, key.recovery_point, ride.id AS ride_id, ride.charge_key,
       (SELECT stripe_customer_id FROM users WHERE users.id = ride.user_id) AS stripe_customer_id,
       extract(epoch FROM ride.created_at)::bigint AS created_at,
       extract(epoch FROM now() - greatest(ride.created_at, key.resumed_at))::bigint AS charge_key_age
  FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS due (id, lease, n)
  JOIN idempotency_keys key ON key.id = due.id AND key.lease = due.lease AND key.recovery_point = 'ride_created'
  JOIN rides ride ON ride.idempotency_key_id = key.id
)sql"};

// ride_created → charge_created
constexpr pg::SetStatement kRecordCharge{"record_charges", R"sql(
WITH key AS (
  UPDATE idempotency_keys k SET recovery_point = 'charge_created'
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS due (id, lease, charge_id, n)
   WHERE k.id = due.id AND k.lease = due.lease AND k.recovery_point = 'ride_created'
  RETURNING k.*, due.charge_id, due.n
), ride AS (
  UPDATE rides SET stripe_charge_id = key.charge_id FROM key WHERE rides.idempotency_key_id = key.id
)
SELECT n, recovery_point, response_code, response_body FROM key
)sql"};

// charge_created → finished
constexpr pg::SetStatement kFinishRide{"finish_rides", R"sql(
WITH key AS (
  UPDATE idempotency_keys k
     SET recovery_point = 'finished', finished_at = now(), last_run_at = now(), lease = NULL, locked_at = NULL,
         response_code = 201,
         response_body = (SELECT to_json(answer) FROM
           (SELECT 'Payment accepted. Your pilot is on their way!' AS message, to_json(ride) AS ride FROM
             (SELECT r.id, r.origin_lat, r.origin_lon, r.target_lat, r.target_lon, r.stripe_charge_id, r.created_at
                FROM rides r WHERE r.idempotency_key_id = k.id) ride) answer)
    FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS due (id, lease, n)
   WHERE k.id = due.id AND k.lease = due.lease AND k.recovery_point = 'charge_created'
  RETURNING k.*, due.n
), receipt AS (
  INSERT INTO staged_jobs (job_name, job_args)
  SELECT 'send_ride_receipt', jsonb_build_object('ride_id', rides.id, 'user_id', rides.user_id,
                                                 'amount_cents', 2000, 'currency', 'usd')
    FROM key JOIN rides ON rides.idempotency_key_id = key.id
)
SELECT n, recovery_point, response_code, response_body FROM key
)sql"};

ForeignOutcome outcome_of(const payments::ChargeResult& result) {
  if (const auto* charged = std::get_if<payments::Charged>(&result)) {
    return idempotency::Recorded{charged->charge_id};
  }
  if (const auto* declined = std::get_if<payments::Declined>(&result)) {
    return ended("card_declined", declined->reason, declined->decline_code);
  }
  if (std::holds_alternative<payments::Rejected>(result)) {
    return ended("payment_rejected");
  }
  return idempotency::Unanswered{std::get<payments::NoAnswer>(result).reason};
}

asio::awaitable<ForeignOutcome> charge(payments::ChargeGateway& gateway, RideOptions options,
                                       const pg::Result& ride) {
  payments::ChargeRequest request{
      std::string(ride.text(0, "charge_key")),
      std::string(ride.text(0, "stripe_customer_id")),
      kPriceCents,
      "usd",
      std::string(ride.text(0, "ride_id")),
      std::chrono::sys_seconds(std::chrono::seconds(ride.integer(0, "created_at")))};
  if (ride.integer(0, "charge_key_age") > options.charge_repeat_limit.count()) {
    // The provider may have forgotten the key: sending it again might charge again.
    const payments::LookupResult found = co_await gateway.find(request);
    if (const auto* charged = std::get_if<payments::Charged>(&found)) {
      co_return idempotency::Recorded{charged->charge_id};
    }
    if (const auto* none = std::get_if<payments::NoAnswer>(&found)) {
      co_return idempotency::Unanswered{none->reason};
    }
    if (const auto* unknown = std::get_if<payments::Unknown>(&found)) {
      co_return idempotency::NeedsPerson{"the charge is too old to repeat, and cannot be looked up: " +
                                         unknown->reason};
    }
  }
  const payments::ChargeResult result = co_await gateway.charge(std::move(request));
  co_return outcome_of(result);
}

}  // namespace

Endpoint rides(payments::ChargeGateway& gateway, RideOptions options) {
  const auto charge_ride = [&gateway, options](const pg::Result& ride) {
    return charge(gateway, options, ride);
  };
  return {
      .method = "POST",
      .path = http::PathPattern("/rides"),
      .parameters = {{"origin_lat", Decimal{-90, 90}},
                     {"origin_lon", Decimal{-180, 180}},
                     {"target_lat", Decimal{-90, 90}},
                     {"target_lon", Decimal{-180, 180}}},
      .location = http::PathPattern("/rides/{ride}"),
      .flow = {.steps = {{"started", idempotency::LocalPhase{kCreateRide}},
                         {"ride_created", idempotency::ForeignPhase{kLoadRide, charge_ride, kRecordCharge}},
                         {"charge_created", idempotency::LocalPhase{kFinishRide}}}},
      .effects = {{"rides", "charge_key", "stripe_charge_id"}},
      .example = {R"({"origin_lat": 1.5, "origin_lon": -2.25, "target_lat": 3, "target_lon": 4})"}};
}

}  // namespace rocket::endpoints
