#pragma once

#include <chrono>

// Times on which several programs must agree. These are the defaults of their settings.
namespace rocket::idempotency {

// How long a lease is honoured without news.
inline constexpr std::chrono::seconds kLeaseTime{90};
// How long a finished key is kept.
inline constexpr std::chrono::seconds kKeyRetention{std::chrono::hours(72)};
// When completers take an unfinished key: so long after it was created, and so long after the last attempt.
// The pause doubles with each attempt of a completer, up to the longest.
inline constexpr std::chrono::seconds kGrace{300};
inline constexpr std::chrono::seconds kPause{60};
inline constexpr std::chrono::seconds kLongestPause{3600};

}  // namespace rocket::idempotency
