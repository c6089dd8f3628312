#pragma once

#include "rocket/endpoints/endpoint.h"
#include "rocket/endpoints/rides.h"
#include "rocket/payments/charge_gateway.h"

namespace rocket::endpoints {

// DELETE /rides/{id}: refunds the charge of the owner's ride. `gateway` must outlive the endpoint.
Endpoint cancellations(payments::ChargeGateway& gateway, RideOptions options);

}  // namespace rocket::endpoints
