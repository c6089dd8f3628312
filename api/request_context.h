#pragma once

#include <string>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// One request on its way through the service.
struct RequestContext {
  HttpRequest request;
  std::string request_id;
  // The client prefers application/problem+json for failures.
  bool as_problem = false;
  // Whom the work counts for: a user, or the address of somebody who is not known yet.
  std::string caller;
  // False while the payment provider is slow and enough requests wait for it: then only what is stored is
  // answered.
  bool may_call_provider = true;
  // What stands in the path where its route has variables, decoded; empty where an escape is broken.
  std::vector<std::string> variables;
};

}  // namespace rocket::api
