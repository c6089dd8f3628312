#pragma once

#include "endpoints/cancellations.h"
#include "endpoints/deposits.h"
#include "endpoints/rides.h"
#include "idempotency/flow.h"

namespace rocket::endpoints {

// Every endpoint that takes an Idempotency-Key. `gateway` must outlive the flows.
inline idempotency::Flows all_flows(payments::ChargeGateway& gateway, const RideOptions& rides) {
  return idempotency::Flows({ride_flow(gateway, rides), cancellation_flow(gateway, rides), deposit_flow()});
}

}  // namespace rocket::endpoints
