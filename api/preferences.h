#pragma once

#include <chrono>
#include <optional>

#include "api/http_message.h"

namespace rocket::api {

// No request waits for longer, whatever its client prefers.
inline constexpr std::chrono::seconds kMaxWait{30};

// How long the client is willing to wait for the answer: the preference "wait" (RFC 7240, section 4.3), but
// kMaxWait at most. Returns nullopt if there is none. A preference that cannot be understood, or a wait of
// no time, counts as none. If there are several, the first one counts.
std::optional<std::chrono::seconds> read_wait_preference(const HttpRequest& request);

}  // namespace rocket::api
