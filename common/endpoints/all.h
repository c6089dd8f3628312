#pragma once

#include <utility>
#include <vector>

#include "rocket/endpoints/cancellations.h"
#include "rocket/endpoints/deposits.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/endpoints/rides.h"

namespace rocket::endpoints {

// Every endpoint that takes an Idempotency-Key. `gateway` must outlive them.
inline Endpoints all_endpoints(payments::ChargeGateway& gateway, const RideOptions& options) {
  std::vector<Endpoint> all;
  all.push_back(rides(gateway, options));
  all.push_back(cancellations(gateway, options));
  all.push_back(deposits());
  return Endpoints(std::move(all));
}

}  // namespace rocket::endpoints
