#pragma once

#include "rocket/pg/lanes.h"

namespace rocket::spec {

// Connecting may take longer on a busy machine than a lane lets its units wait. Throws std::runtime_error
// when it takes very long.
void wait_until_connected(pg::Lanes& lanes);

}  // namespace rocket::spec
