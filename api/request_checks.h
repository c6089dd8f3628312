#pragma once

#include <optional>
#include <string>

#include "api/failure.h"
#include "api/http_message.h"
#include "rocket/base/request_ids.h"

namespace rocket::api {

// Whether a variable of a path can be an id. Other text finds nothing. Each id has one spelling: 7 is an id,
// and 07 is not.
bool is_id(std::string_view text);

// The key in Idempotency-Key: 20 to 255 printable ASCII characters, plain or as an RFC 8941 string, which
// means the same. Returns nullopt if there is none. Failure: 400 idempotency_key_invalid.
// See draft-ietf-httpapi-idempotency-key-header.
Expected<std::optional<std::string>> read_idempotency_key(const HttpRequest& request);

// Applies the same rules to a key that stands elsewhere, such as in a path. Returns nullopt if the text is no
// key.
std::optional<std::string> normalize_idempotency_key(std::string_view text);

// The caller's X-Request-Id if it is sane, else a new one.
std::string request_id_of(const HttpRequest& request);

// The ids of a request whose key is not known yet. Its traceparent counts only if there is one, and it is
// valid. Callers cannot choose the text: it is put together anew.
RequestIds ids_of(const HttpRequest& request);

}  // namespace rocket::api
