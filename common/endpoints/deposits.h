#pragma once

#include "idempotency/flow.h"

namespace rocket::endpoints {

// POST /deposits: one local phase, no foreign call.
idempotency::Flow deposit_flow();

}  // namespace rocket::endpoints
