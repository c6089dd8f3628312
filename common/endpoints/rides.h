#pragma once

#include <chrono>

#include "rocket/endpoints/endpoint.h"
#include "rocket/payments/charge_gateway.h"

namespace rocket::endpoints {

struct RideOptions {
  // A charge or refund whose key is older is looked up at the provider, never repeated blindly.
  std::chrono::seconds charge_repeat_limit{std::chrono::hours(20)};
};

// What clients see of a ride `r`, as columns of a SELECT.
inline constexpr char kRideColumns[] =
    "r.id, r.origin_lat, r.origin_lon, r.target_lat, r.target_lon, r.stripe_charge_id, r.created_at";

// POST /rides: the whole life of a ride request. `gateway` must outlive the endpoint.
Endpoint rides(payments::ChargeGateway& gateway, RideOptions options);

}  // namespace rocket::endpoints
