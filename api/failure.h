#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// An answer that is no success: a status, a code for programs, a sentence for people.
struct Failure {
  int status = 500;
  std::string code = "internal";
  std::string error = "Something went wrong on our side. It is safe to retry with the same Idempotency-Key.";
  std::vector<std::pair<std::string, std::string>> headers;
};

template <typename T>
using OrFailure = std::variant<T, Failure>;

// True when an Accept field asks for application/problem+json (RFC 9457).
bool accepts_problem(std::string_view accept);

// {"error": …, "code": …}, or a problem when the client asked for one.
HttpResponse render(const Failure& failure, bool as_problem);

// A stored failure body, for a client that asked for a problem; success bodies pass unchanged.
HttpResponse render_stored(int status, std::string body, bool as_problem);

}  // namespace rocket::api
