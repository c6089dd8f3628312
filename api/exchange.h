#pragma once

#include <string>

#include "api/http_message.h"

namespace rocket::api {

// One request on its way through the service.
struct Exchange {
  HttpRequest request;
  std::string request_id;
  // The client prefers application/problem+json for failures.
  bool as_problem = false;
  // The last segment of the path, decoded, where the route has a variable there.
  std::string path_argument;
};

}  // namespace rocket::api
