#pragma once

#include <string>
#include <string_view>

#include "rocket/idempotency/flow.h"
#include "rocket/idempotency/request.h"

// What clients are told instead of success. An endpoint names only the code; the rest stands in one table.
namespace rocket::endpoints {

struct KnownFailure {
  // For programs to read.
  std::string_view code;
  // The HTTP status.
  int status;
  // Seconds for Retry-After; 0 if it is no use to repeat the request.
  int retry_after;
  // For people to read.
  std::string_view error;
};

// Throws std::out_of_range for a code that the table does not have.
const KnownFailure& known_failure(std::string_view code);

// The answer when a phase refuses the request. Such a request leaves no trace.
idempotency::Response refused(std::string_view code);

// The outcome of a foreign call that ends the request. `note` is for the log and for operators. `error`, the
// provider's own words, replaces the table's text unless it is empty. The answer has a decline_code only if
// there is one.
idempotency::Ended ended(std::string_view code, std::string note, std::string_view error = {},
                         std::string_view decline_code = {});

}  // namespace rocket::endpoints
