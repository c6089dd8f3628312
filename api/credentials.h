#pragma once

#include <string>

#include "api/failure.h"
#include "api/http_message.h"

namespace rocket::api {

// What the api takes as proof of who asks.
enum class AuthMode {
  // API tokens (RFC 6750).
  kToken,
  // API tokens, and the e-mail addresses of users. An address is no secret.
  kEmail,
};

// Returns the text by which the database finds the user: the hash of the token, or the e-mail address. Only
// the database knows whether it is valid.
// Failures: 401 credentials_missing, credentials_invalid.
Expected<std::string> read_credentials(const HttpRequest& request, AuthMode mode);

// The failures of credentials that the database does not take: 401 credentials_invalid, 403
// insufficient_scope.
Failure unknown_user(const std::string& credentials);
Failure invalid_token(std::string error);
Failure insufficient_scope(const std::string& scope);

}  // namespace rocket::api
