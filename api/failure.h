#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// An answer that is no success: a status, a code for programs, a sentence for people.
struct Failure {
  int status = 500;
  std::string code = "internal";
  std::string error = "Something went wrong on our side. It is safe to retry with the same Idempotency-Key.";
  std::vector<std::pair<std::string, std::string>> headers;
  // What is missing, one sentence each; in the body where there is something.
  std::vector<std::string> missing{};
};

// What the table of failures says of this code; see endpoints/failures.h.
Failure failure(std::string_view code);

// A value, or why there is none. A failure goes in as Unexpected.
template <typename T>
using Expected = tl::expected<T, Failure>;
using Unexpected = tl::unexpected<Failure>;

// True when an Accept field names this media type, and not with a weight of zero. Ranges such as */* name
// none.
bool accepts(std::string_view accept, std::string_view media_type);

// The same of application/problem+json (RFC 9457).
bool accepts_problem(std::string_view accept);
// Several such fields are one list (RFC 9110, section 5.3).
bool accepts_problem(const HttpRequest& request);

// {"error": …, "code": …}, or a problem when the client asked for one.
HttpResponse render(const Failure& failure, bool as_problem);

// A stored failure body, for a client that asked for a problem; success bodies pass unchanged.
HttpResponse render_stored(int status, std::string body, bool as_problem);

}  // namespace rocket::api
