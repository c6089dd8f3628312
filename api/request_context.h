#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/failure.h"
#include "api/http_message.h"
#include "rocket/base/request_ids.h"

namespace rocket::api {

// No new work is begun for a request. It gets the answer that is stored for its key, if there is one.
struct Restriction {
  // What it gets otherwise.
  HttpResponse refusal;
  // A request whose key is stored and unfinished may go on.
  bool may_go_on = false;
};

// One request on its way through the service.
struct RequestContext {
  HttpRequest request;
  // What joins its log lines and calls. Not null while the request is worked on.
  std::shared_ptr<RequestIds> ids{};
  // The text by which the database finds the user; see read_credentials(). Empty until the route is known to
  // need it.
  Expected<std::string> credentials;
  // The Host field has a name of this service; only checks are answered otherwise.
  bool is_by_our_name = true;
  // The client prefers application/problem+json for failures.
  bool as_problem = false;
  // Who the work is counted for: a user, or the address of a caller who is not known yet.
  std::string caller;
  // Set while new work is refused: the provider is slow and enough requests wait for it, or the caller is
  // beyond a limit.
  std::optional<Restriction> restriction;
  // The values of the route's variables in the path, decoded. A value with a broken escape is empty.
  std::vector<std::string> variables;
};

}  // namespace rocket::api
