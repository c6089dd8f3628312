#pragma once

#include <chrono>
#include <functional>

#ifdef __has_feature
#define ROCKET_HAS_FEATURE(name) __has_feature(name)
#else
#define ROCKET_HAS_FEATURE(name) 0
#endif

namespace rocket::spec {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    ROCKET_HAS_FEATURE(address_sanitizer) || ROCKET_HAS_FEATURE(thread_sanitizer)
// Of a sanitized program.
inline constexpr int kMinSlowness = 4;
#else
inline constexpr int kMinSlowness = 1;
#endif
// Other specs run at the same time, on a machine that may be busy with other things, too. Whoever waits for a
// time-out that he should not wait for takes longer than this.
inline constexpr int kSlowness = 4;

#undef ROCKET_HAS_FEATURE

// While the database is away, an answer that says so comes within this time: 2 s where nothing else runs.
inline constexpr std::chrono::milliseconds kAnswersWithin = kSlowness * std::chrono::seconds(2);
// After it is back, a request is served within this time: 1 s where nothing else runs.
inline constexpr std::chrono::milliseconds kServesWithin = kSlowness * std::chrono::seconds(1);

// What clients felt of an outage of the database.
struct Felt {
  // Of a refusal or another answer while it lasted.
  std::chrono::milliseconds slowest_answer{0};
  // From its end on.
  std::chrono::milliseconds until_served{0};
};

// Causes the outage so often at least, and expects that it is never felt for longer than these limits, and
// once in three tries for no longer than if nothing else ran: a slow machine is slow at random, a slow
// product always.
void expect_in_time(const std::function<Felt()>& outage, int at_least = 1);

// How long this takes.
template <typename Action>
std::chrono::milliseconds time_of(Action action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

}  // namespace rocket::spec
