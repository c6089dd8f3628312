#pragma once

#include <optional>
#include <string>

#include "api/failure.h"
#include "api/http_message.h"

namespace rocket::api {

// The e-mail address in Authorization; whether such a user exists is for the database to say.
// Failures: 401 credentials_missing, credentials_invalid.
OrFailure<std::string> read_credentials(const HttpRequest& request);

// There is no such user: 401 credentials_invalid.
Failure unknown_user();

// Whether a path's variable can be the id of a ride; no other finds one.
bool is_ride_id(const std::string& text);

// 404 ride_not_found, whether there is no such ride or it is somebody else's.
Failure ride_not_found();

// The key in Idempotency-Key: 20 to 255 printable ASCII characters, plain or as an RFC 8941 string, which
// means the same. Nothing: there is none. Failure: 400 idempotency_key_invalid.
// See draft-ietf-httpapi-idempotency-key-header.
OrFailure<std::optional<std::string>> read_idempotency_key(const HttpRequest& request);

// The same rules for a key that stands elsewhere, such as in a path. Nothing: it is no key.
std::optional<std::string> normalize_idempotency_key(std::string_view text);

// The caller's X-Request-Id if it is sane, else a new one.
std::string request_id_of(const HttpRequest& request);

}  // namespace rocket::api
