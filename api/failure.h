#pragma once

#include <array>
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
  // What is missing, one sentence each. The body shows it unless it is empty.
  std::vector<std::string> missing{};
  // The id of the user whose credentials are refused, if there is one. The body does not show it.
  std::string refused_user{};
};

// The failure that the table in endpoints/failures.h has for this code.
Failure failure(std::string_view code);

// A value, or the failure that tells why there is none. Wrap a failure in Unexpected to return it.
template <typename T>
using Expected = tl::expected<T, Failure>;
using Unexpected = tl::unexpected<Failure>;

// True if an Accept field names this media type, unless its weight is zero. Ranges such as */* name no type.
bool accepts(std::string_view accept, std::string_view media_type);

// The same for application/problem+json (RFC 9457).
bool accepts_problem(std::string_view accept);
// Several Accept fields count as one list (RFC 9110, section 5.3).
bool accepts_problem(const HttpRequest& request);

// {"error": …, "code": …}, or a problem when the client asked for one.
HttpResponse render(const Failure& failure, bool as_problem);

// Both forms: plain, and as a problem.
std::array<HttpResponse, 2> render_both(const Failure& failure);

// Renders a stored answer. A failure becomes a problem when the client asked for one. Success bodies pass
// unchanged.
HttpResponse render_stored(int status, std::string body, bool as_problem);

}  // namespace rocket::api
