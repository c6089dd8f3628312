#pragma once

#include "endpoints/rides.h"
#include "idempotency/flow.h"
#include "payments/charge_gateway.h"

namespace rocket::endpoints {

// DELETE /rides/{id}: refunds the charge of the owner's ride. `gateway` must outlive the flow.
idempotency::Flow cancellation_flow(payments::ChargeGateway& gateway, RideOptions options);

}  // namespace rocket::endpoints
