#include "rocket/endpoints/rides.h"

#include <string>
#include <utility>

#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"
#include "rocket/endpoints/provider_calls.h"

namespace rocket::endpoints {
namespace {

// started → ride_created
//
// The ride draws its id and its charge key itself, so that it can be written to two tables at once.
constexpr idempotency::Body kCreateRide{R"sql(
ride AS MATERIALIZED (
  SELECT n, id AS key_id, user_id, nextval('rides_id_seq') AS id, gen_random_uuid() AS charge_key,
         2000 AS price_cents, now() AS created_at, request_params, origin_ip, resumed_at
    FROM key
), created AS (
  INSERT INTO rides (id, idempotency_key_id, user_id, charge_key, price_cents, created_at,
                     origin_lat, origin_lon, target_lat, target_lon)
  SELECT id, key_id, user_id, charge_key, price_cents, created_at,
         (request_params->>'origin_lat')::float8, (request_params->>'origin_lon')::float8,
         (request_params->>'target_lat')::float8, (request_params->>'target_lon')::float8
    FROM ride
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'created', 'ride', id, user_id, origin_ip, request_params FROM ride
))sql",
                                        R"sql(
ride AS (
  SELECT rides.*, key.n, key.id AS key_id, key.resumed_at, key.traceparent
    FROM key JOIN rides ON rides.idempotency_key_id = key.id
))sql"};

// What the charge needs. The age of the charge key counts from a resume, if there was one: the person who
// resumed the parked ride has made sure that the charge may be sent again. The user is read in a subquery: in
// a join, a planner without statistics might begin at the user and read all of their rides.
constexpr const char* kChargeNeeds = R"sql(
  SELECT n, key_id, id AS ride_id, charge_key, price_cents,
         (SELECT stripe_customer_id FROM users WHERE users.id = ride.user_id) AS stripe_customer_id,
         extract(epoch FROM created_at)::bigint AS created_at,
         extract(epoch FROM now() - greatest(created_at, resumed_at))::bigint AS charge_key_age
    FROM ride
)sql";

// ride_created → charge_created
constexpr idempotency::Body kRecordCharge{R"sql(
charged AS (
  UPDATE rides SET stripe_charge_id = key.recorded FROM key WHERE rides.idempotency_key_id = key.id
  RETURNING rides.*, key.n, key.id AS key_id, key.traceparent
))sql",
                                          R"sql(
charged AS (SELECT * FROM ride))sql"};

// charge_created → finished
constexpr idempotency::Body kStageReceipt{R"sql(
receipt AS (
  INSERT INTO staged_jobs (job_name, job_args, traceparent)
  SELECT 'send_ride_receipt', jsonb_build_object('ride_id', charged.id, 'user_id', charged.user_id,
                                                 'amount_cents', charged.price_cents,
                                                 'currency', 'usd'), charged.traceparent
    FROM charged
))sql"};

constexpr auto kAnswer = joined(R"sql(
  SELECT n, key_id, (SELECT to_json(answer) FROM
           (SELECT 'Payment accepted. Your pilot is on their way!' AS message, to_json(ride) AS ride FROM
             (SELECT )sql",
                                kRideColumns, R"sql() ride) answer) AS body
    FROM charged r
)sql");

}  // namespace

Endpoint rides(payments::ChargeGateway& gateway, RideOptions options) {
  const auto charge_ride = [&gateway, options](const pg::Result& ride, SharedRequestIds ids) {
    payments::ChargeRequest request{
        std::string(ride.text(0, "charge_key")),
        std::string(ride.text(0, "stripe_customer_id")),
        ride.integer(0, "price_cents"),
        "usd",
        std::string(ride.text(0, "ride_id")),
        std::chrono::sys_seconds(std::chrono::seconds(ride.integer(0, "created_at"))),
        std::move(ids)};
    const bool key_is_old = ride.integer(0, "charge_key_age") > options.charge_repeat_limit.count();
    return charge(gateway, std::move(request), key_is_old);
  };
  return {
      .method = "POST",
      .path = http::PathPattern("/rides"),
      .parameters = {{"origin_lat", Decimal{-90, 90}},
                     {"origin_lon", Decimal{-180, 180}},
                     {"target_lat", Decimal{-90, 90}},
                     {"target_lon", Decimal{-180, 180}}},
      .location = http::PathPattern("/rides/{ride}"),
      .flow = idempotency::Flow(
          {.name = "ride",
           .owner = kWriterOfCredential.data(),
           .steps = {{"started", idempotency::LocalPhase{kCreateRide}},
                     {"ride_created", idempotency::ForeignPhase{kChargeNeeds, charge_ride, kRecordCharge}},
                     {"charge_created", idempotency::LocalPhase{kStageReceipt}}},
           .answer = {201, kAnswer.data()}}),
      .effects = {{"rides", "charge_key", "stripe_charge_id"}},
      .example = {R"({"origin_lat": 1.5, "origin_lon": -2.25, "target_lat": 3, "target_lon": 4})"}};
}

}  // namespace rocket::endpoints
