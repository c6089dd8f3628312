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

  // Counts what a request has done, when its answer is known.
  void end(const RequestContext& context, const HttpResponse& response);

  // A request came from an address, and now its user is known. Counts it for the user too.
  void identified(const RequestContext& context, const std::string& user, const Usage& usage);

 private:
  RateLimits limits_;
  LimitRefusals refusals_;
};

}  // namespace rocket::api
