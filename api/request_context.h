#pragma once

#include <string>
#include <vector>

#include "api/failure.h"
#include "api/http_message.h"

namespace rocket::api {

// One request on its way through the service.
struct RequestContext {
  HttpRequest request;
  std::string request_id;
  // The text by which the database finds the user; see read_credentials(). Empty until the route is known to
  // need it.
  Expected<std::string> credentials;
  // The Host field has a name of this service; only checks are answered otherwise.
  bool is_by_our_name = true;
  // The client prefers application/problem+json for failures.
  bool as_problem = false;
  // Who the work is counted for: a user, or the address of a caller who is not known yet.
  std::string caller;
  // False while the payment provider is slow and enough requests wait for it. Then only stored answers are
  // given.
  bool may_call_provider = true;
  // The values of the route's variables in the path, decoded. A value with a broken escape is empty.
  std::vector<std::string> variables;
};

}  // namespace rocket::api
