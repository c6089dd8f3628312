#pragma once

#include "endpoints/endpoint.h"
#include "endpoints/rides.h"
#include "payments/charge_gateway.h"

namespace rocket::endpoints {

// DELETE /rides/{id}: refunds the charge of the owner's ride. `gateway` must outlive the endpoint.
Endpoint cancellations(payments::ChargeGateway& gateway, RideOptions options);

}  // namespace rocket::endpoints
