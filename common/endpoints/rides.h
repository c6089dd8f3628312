#pragma once

#include <chrono>

#include "rocket/endpoints/endpoint.h"
#include "rocket/payments/charge_gateway.h"

namespace rocket::endpoints {

struct RideOptions {
  // A charge or refund whose key is older is looked up at the provider, never repeated blindly.
  std::chrono::seconds charge_repeat_limit{std::chrono::hours(20)};
};

// POST /rides: the whole life of a ride request. `gateway` must outlive the endpoint.
Endpoint rides(payments::ChargeGateway& gateway, RideOptions options);

}  // namespace rocket::endpoints
