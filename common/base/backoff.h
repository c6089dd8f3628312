#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace rocket {

// A random time from the first to the second, both included. Thread safe.
inline std::chrono::milliseconds random_time(std::chrono::milliseconds least,
                                             std::chrono::milliseconds most) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(least.count(), most.count())(random));
}

// Pauses between tries, each up to twice as long as the one before. They are random, so that many who lost
// the same server at once do not come back at once. Not thread safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(longest), next_(first) {}

  // At least half of its upper bound.
  std::chrono::milliseconds next() {
    const std::chrono::milliseconds bound = next_;
    next_ = std::min(2 * next_, longest_);
    return random_time(bound / 2, bound);
  }
  // After a success.
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

}  // namespace rocket
