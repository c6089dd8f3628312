#pragma once

#include <chrono>

#ifdef __has_feature
#define ROCKET_HAS_FEATURE(name) __has_feature(name)
#else
#define ROCKET_HAS_FEATURE(name) 0
#endif

namespace rocket::spec {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    ROCKET_HAS_FEATURE(address_sanitizer) || ROCKET_HAS_FEATURE(thread_sanitizer)
inline constexpr int kSlowness = 4;
#else
// Other specs run at the same time, on a machine that may be busy.
inline constexpr int kSlowness = 2;
#endif

#undef ROCKET_HAS_FEATURE

// While the database is away, an answer that says so comes within this time: 2 s where nothing else runs.
inline constexpr std::chrono::milliseconds kAnswersWithin = kSlowness * std::chrono::seconds(2);
// After it is back, a request is served within this time: 1 s where nothing else runs.
inline constexpr std::chrono::milliseconds kServesWithin = kSlowness * std::chrono::seconds(1);

}  // namespace rocket::spec
