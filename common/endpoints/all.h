#pragma once

#include "endpoints/cancellations.h"
#include "endpoints/deposits.h"
#include "endpoints/endpoint.h"
#include "endpoints/rides.h"

namespace rocket::endpoints {

// Every endpoint that takes an Idempotency-Key. `gateway` must outlive them.
inline Endpoints all_endpoints(payments::ChargeGateway& gateway, const RideOptions& options) {
  return Endpoints({rides(gateway, options), cancellations(gateway, options), deposits()});
}

}  // namespace rocket::endpoints
