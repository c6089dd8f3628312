#include "spec/with_tips/tips.h"

#include <string>
#include <utility>

#include "rocket/endpoints/credentials.h"
#include "rocket/endpoints/failures.h"
#include "rocket/endpoints/provider_calls.h"

namespace rocket::spec {
namespace {

// started → tip_created
constexpr idempotency::Body kCreateTip{R"sql(
wanted AS MATERIALIZED (
  SELECT key.n, key.id AS key_id, key.user_id, ride.id AS ride_id, key.origin_ip, key.request_params
    FROM key
    LEFT JOIN rides ride ON ride.id = split_part(key.request_path, '/', 3)::bigint AND ride.user_id = key.user_id
), refused AS (
  SELECT n, key_id, 'ride_not_found' AS refusal FROM wanted WHERE ride_id IS NULL
), tip AS (
  INSERT INTO tips (idempotency_key_id, user_id, ride_id, amount)
  SELECT key_id, user_id, ride_id, (request_params->>'amount')::bigint FROM wanted WHERE ride_id IS NOT NULL ORDER BY n
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, origin_ip, data)
  SELECT 'tipped', 'ride', ride_id, user_id, origin_ip, request_params FROM wanted WHERE ride_id IS NOT NULL
))sql",
                                       R"sql(
tip AS (
  SELECT tips.*, key.n, key.id AS key_id, key.resumed_at FROM key JOIN tips ON tips.idempotency_key_id = key.id
))sql"};

constexpr const char* kChargeNeeds = R"sql(
  SELECT n, key_id, id, charge_key, amount,
         (SELECT stripe_customer_id FROM users WHERE users.id = tip.user_id) AS stripe_customer_id,
         extract(epoch FROM created_at)::bigint AS created_at,
         extract(epoch FROM now() - greatest(created_at, resumed_at))::bigint AS charge_key_age
    FROM tip
)sql";

// tip_created → charge_created
constexpr idempotency::Body kRecordCharge{R"sql(
charged AS (
  UPDATE tips SET stripe_charge_id = key.recorded FROM key WHERE tips.idempotency_key_id = key.id
  RETURNING tips.*, key.n, key.id AS key_id
))sql",
                                          "charged AS (SELECT * FROM tip)"};

constexpr const char* kAnswer = R"sql(
  SELECT n, key_id, (SELECT to_json(answer) FROM (SELECT 'Thank you.' AS message, to_json(told) AS tip FROM
           (SELECT charged.id, charged.ride_id, charged.amount, charged.stripe_charge_id) told) answer) AS body
    FROM charged
)sql";

}  // namespace

endpoints::Endpoint tips(payments::ChargeGateway& gateway, endpoints::RideOptions options) {
  const auto charge_tip = [&gateway, options](const pg::Result& tip, SharedRequestIds ids) {
    payments::ChargeRequest request{
        std::string(tip.text(0, "charge_key")),
        std::string(tip.text(0, "stripe_customer_id")),
        tip.integer(0, "amount") * 100,
        "usd",
        "tip_" + std::string(tip.text(0, "id")),
        std::chrono::sys_seconds(std::chrono::seconds(tip.integer(0, "created_at"))),
        std::move(ids)};
    const bool key_is_old = tip.integer(0, "charge_key_age") > options.charge_repeat_limit.count();
    return endpoints::charge(gateway, std::move(request), key_is_old);
  };
  return {.method = "POST",
          .path = http::PathPattern("/rides/{ride_id}/tips"),
          .variables = {{"ride_id", "ride_not_found"}},
          .parameters = {{"amount", endpoints::Integer{1, 500}}},
          .flow = idempotency::Flow(
              {.name = "tip",
               .owner = endpoints::kWriterOfCredential.data(),
               .steps = {{"started", idempotency::LocalPhase{kCreateTip, true}, true},
                         {"tip_created", idempotency::ForeignPhase{kChargeNeeds, charge_tip, kRecordCharge}},
                         {"charge_created", idempotency::LocalPhase{}}},
               .answer = {201, kAnswer},
               .refusal = endpoints::refused}),
          .effects = {{"tips", "charge_key", "stripe_charge_id"}},
          .example = {R"({"amount": 5})", {{"ride_id", {"POST", "/rides", "/ride/id"}}}}};
}

}  // namespace rocket::spec
