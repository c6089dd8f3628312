#pragma once

#include <optional>
#include <string>

#include "api/failure.h"
#include "api/http_message.h"

namespace rocket::api {

// The e-mail address in Authorization; whether such a user exists is for the database to say.
// Failures: 401 credentials_missing, credentials_invalid.
Expected<std::string> read_credentials(const HttpRequest& request);

// There is no such user: 401 credentials_invalid.
Failure unknown_user();

// Whether a variable of a path can be the id of something; no other finds anything. Each id has one spelling:
// 7 is one, and 07 is not.
bool is_id(std::string_view text);

// The key in Idempotency-Key: 20 to 255 printable ASCII characters, plain or as an RFC 8941 string, which
// means the same. Nothing: there is none. Failure: 400 idempotency_key_invalid.
// See draft-ietf-httpapi-idempotency-key-header.
Expected<std::optional<std::string>> read_idempotency_key(const HttpRequest& request);

// The same rules for a key that stands elsewhere, such as in a path. Nothing: it is no key.
std::optional<std::string> normalize_idempotency_key(std::string_view text);

// The caller's X-Request-Id if it is sane, else a new one.
std::string request_id_of(const HttpRequest& request);

}  // namespace rocket::api
