#pragma once

#include <optional>
#include <string>

#include "api/http_message.h"
#include "api/limit_refusals.h"
#include "api/rate_limits.h"
#include "api/request_context.h"
#include "api/routes.h"

namespace rocket::api {

// Applies the limits of callers to requests. Thread safe.
class Limiter {
 public:
  explicit Limiter(const RateLimitOptions& options) : limits_(options), refusals_(limits_) {}

  // Returns the answer if the request must be refused at once. Sets context.restriction if only the database
  // knows whether it may be answered. `charge` must live as long as the request.
  std::optional<HttpResponse> begin(const Route& route, RequestContext& context, RateLimits::Charge& charge);

  // The user of the request was not known at its begin. From now on it counts for the user.
  void begin_of_stranger(const Route& route, RequestContext& context, const std::string& user,
                         RateLimits::Charge& charge);

  // A request that has waited makes another attempt. It is not counted again as a request.
  void begin_again(const Route& route, RequestContext& context, RateLimits::Charge& charge);

  // Counts what a request has done, when its answer is known.
  void end(const RequestContext& context, const HttpResponse& response);

 private:
  void restrict_keys(const Route& route, RequestContext& context, RateLimits::Charge& charge);

  RateLimits limits_;
  LimitRefusals refusals_;
};

}  // namespace rocket::api
