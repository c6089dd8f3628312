#pragma once

#include <string>
#include <string_view>

#include "idempotency/flow.h"
#include "idempotency/request.h"

// What clients are told instead of success. An endpoint names only the code; the rest stands in one table.
namespace rocket::endpoints {

struct KnownFailure {
  // For programs.
  std::string_view code;
  // HTTP's.
  int status;
  // For Retry-After, in seconds; 0 where repeating the request is no use.
  int retry_after;
  // For people.
  std::string_view error;
};

// Throws std::out_of_range for a code that the table does not have.
const KnownFailure& known_failure(std::string_view code);

// A phase refuses the request, which leaves no trace.
idempotency::Response refused(std::string_view code);

// A foreign call ends the request with this. The provider's own words, if any, take the place of the table's;
// decline_code is told only where there is one.
idempotency::Ended ended(std::string_view code, std::string_view error = {},
                         std::string_view decline_code = {});

}  // namespace rocket::endpoints
