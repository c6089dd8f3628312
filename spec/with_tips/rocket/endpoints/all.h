#pragma once

#include <utility>
#include <vector>

#include "rocket/endpoints/cancellations.h"
#include "rocket/endpoints/deposits.h"
#include "rocket/endpoints/rides.h"
#include "spec/with_tips/tips.h"

namespace rocket::endpoints {

// Takes the place of common/endpoints/all.h in the programs that the specs run: the product's endpoints, and
// one that only the specs know.
inline Endpoints all_endpoints(payments::ChargeGateway& gateway, const RideOptions& options) {
  std::vector<Endpoint> all;
  all.push_back(rides(gateway, options));
  all.push_back(cancellations(gateway, options));
  all.push_back(deposits());
  all.push_back(spec::tips(gateway, options));
  return Endpoints(std::move(all));
}

}  // namespace rocket::endpoints
