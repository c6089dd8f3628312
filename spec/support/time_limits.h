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
// A program runs slower with a sanitizer.
inline constexpr int kMinSlowness = 4;
#else
inline constexpr int kMinSlowness = 1;
#endif
// Other specs run at the same time, and the machine may be busy with other work. A program that wrongly waits
// for a time-out is slower than even this factor allows.
inline constexpr int kSlowness = 4;

#undef ROCKET_HAS_FEATURE

// While the database is away, an answer that says so comes within this time (2 s on a quiet machine).
inline constexpr std::chrono::milliseconds kAnswersWithin = kSlowness * std::chrono::seconds(2);
// Once the database is back, a request is served within this time (1 s on a quiet machine).
inline constexpr std::chrono::milliseconds kServesWithin = kSlowness * std::chrono::seconds(1);

// How an outage of the database delayed the clients.
struct Felt {
  // The slowest refusal or other answer during the outage.
  std::chrono::milliseconds slowest_answer{0};
  // The time from the end of the outage until a request is served.
  std::chrono::milliseconds until_served{0};
};

// Causes the outage at least `at_least` times. Expects each delay to stay within the limits above, and one of
// three tries to stay within those of a quiet machine. A slow machine is slow only sometimes, but a slow
// program is slow in each try.
void expect_in_time(const std::function<Felt()>& outage, int at_least = 1);

// The time that `action` takes.
template <typename Action>
std::chrono::milliseconds time_of(Action action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

}  // namespace rocket::spec
