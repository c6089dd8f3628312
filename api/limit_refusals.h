#pragma once

#include <array>
#include <string>

#include "api/http_message.h"
#include "api/rate_limits.h"

namespace rocket::api {

// The answers to requests beyond a limit. They have the fields of draft-ietf-httpapi-ratelimit-headers-10.
// All that does not change is rendered once, because refusing must cost little. Immutable, so thread safe.
class LimitRefusals {
 public:
  explicit LimitRefusals(const RateLimits& limits);

  HttpResponse render(const RateLimits::Excess& excess, bool as_problem) const;

 private:
  struct Prepared {
    // The name of the limit in the fields.
    std::string name;
    // Plain, and as a problem.
    std::array<HttpResponse, 2> answers;
  };

  std::array<Prepared, kLimits> prepared_;
  std::array<HttpResponse, 2> too_many_requests_;
};

}  // namespace rocket::api
