#pragma once

#include "simulator/caller.h"

namespace rocket::simulator {

// Carries out a plan with a new key. Plans that send two requests at the same moment need `second`.
CallResult play(const Plan& plan, Caller& first, Caller& second);

}  // namespace rocket::simulator
