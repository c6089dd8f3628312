#pragma once

#include "simulator/caller.h"

namespace rocket::simulator {

// Carries a plan out, with a fresh key. `second` is needed by plans that send two requests at the same
// moment.
CallResult play(const Plan& plan, Caller& first, Caller& second);

}  // namespace rocket::simulator
