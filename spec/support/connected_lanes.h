#pragma once

#include "pg/lanes.h"

namespace rocket::spec {

// On a busy machine connecting may take longer than a lane lets units wait for it. Throws std::runtime_error
// when it takes very long.
void wait_until_connected(pg::Lanes& lanes);

}  // namespace rocket::spec
