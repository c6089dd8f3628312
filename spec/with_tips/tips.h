#pragma once

#include "rocket/endpoints/endpoint.h"
#include "rocket/endpoints/rides.h"
#include "rocket/payments/charge_gateway.h"

namespace rocket::spec {

// POST /rides/{ride_id}/tips: charges a tip for the owner's ride. An endpoint as somebody might add it, over
// which every suite runs. `gateway` must outlive it.
endpoints::Endpoint tips(payments::ChargeGateway& gateway, endpoints::RideOptions options);

}  // namespace rocket::spec
