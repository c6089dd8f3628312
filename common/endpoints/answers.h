#pragma once

#include <string>

#include "idempotency/flow.h"

namespace rocket::endpoints {

// A failure that a foreign call ends a request with: what went wrong, for people, and its code, for programs.
// `decline_code` only where there is one.
idempotency::Ended ended(int status, const std::string& code, const std::string& error,
                         const std::string& decline_code = {});

}  // namespace rocket::endpoints
