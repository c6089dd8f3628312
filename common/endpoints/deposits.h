#pragma once

#include "rocket/endpoints/endpoint.h"

namespace rocket::endpoints {

// POST /deposits: one local phase, no foreign call.
Endpoint deposits();

}  // namespace rocket::endpoints
