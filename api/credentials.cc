#include "api/credentials.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"

namespace rocket::api {
namespace {

constexpr std::size_t kMaxEmailLength = 255;
constexpr std::string_view kBearer = "bearer ";

bool is_email(std::string_view text) { return text.find('@') != std::string_view::npos; }

// RFC 9110, section 11.6.1, and for tokens RFC 6750, section 3.
Failure unauthorized(std::string code, std::string error, bool by_email, std::string_view token_error) {
  Failure failure{401, std::move(code), std::move(error), {}};
  std::string bearer = "Bearer realm=\"rocket rides\"";
  if (!token_error.empty()) bearer.append(", error=\"").append(token_error).append("\"");
  if (by_email) bearer += ", Email realm=\"rocket rides\"";
  failure.headers.emplace_back("WWW-Authenticate", std::move(bearer));
  return failure;
}

Failure invalid_email() {
  return unauthorized("credentials_invalid", "The Authorization header names no user.", true, {});
}

Expected<std::string> read_token(std::string_view text) {
  if (auto hash = endpoints::hash_of_api_token(text)) return std::move(*hash);
  return Unexpected(invalid_token("This is no API token. Perhaps a part of it is missing or mistyped."));
}

}  // namespace

Expected<std::string> read_credentials(const HttpRequest& request, AuthMode mode) {
  const bool by_email = mode == AuthMode::kEmail;
  const auto value = request.header("authorization");
  if (!value || value->empty()) {
    return Unexpected(unauthorized("credentials_missing",
                                   by_email ? "Send your e-mail address in the Authorization header."
                                            : "Send your API token: Authorization: Bearer rr_…",
                                   by_email, {}));
  }
  const bool is_alone = request.count("authorization") == 1;
  if (is_alone && equal_ignoring_case(value->substr(0, kBearer.size()), kBearer)) {
    return read_token(trimmed(value->substr(kBearer.size())));
  }
  if (!by_email) {
    return Unexpected(invalid_token("Send your API token: Authorization: Bearer rr_…"));
  }
  const bool is_printable =
      std::all_of(value->begin(), value->end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!is_alone || value->size() > kMaxEmailLength || !is_printable || !is_email(*value)) {
    return Unexpected(invalid_email());
  }
  return std::string(*value);
}

Failure unknown_user(const std::string& credentials) {
  return is_email(credentials) ? invalid_email() : invalid_token("This API token is nobody's.");
}

Failure invalid_token(std::string error) {
  return unauthorized("credentials_invalid", std::move(error), false, "invalid_token");
}

Failure insufficient_scope(const std::string& scope) {
  return {403,
          "insufficient_scope",
          "This token does not permit that. It needs the scope " + scope + ".",
          {{"WWW-Authenticate",
            R"(Bearer realm="rocket rides", error="insufficient_scope", scope=")" + scope + '"'}}};
}

}  // namespace rocket::api
