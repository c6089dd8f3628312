#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <utility>

namespace rocket::api {

// Bounds how many lines a second are logged about one thing, so that nobody can fill a disk with them. Thread
// safe.
class LineBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit LineBudget(std::int64_t lines_per_second) : lines_per_second_(lines_per_second) {}

  // Returns false if the line must be left out.
  bool take(Time now) {
    const std::lock_guard lock(mutex_);
    if (now - since_ >= std::chrono::seconds(1)) {
      since_ = now;
      used_ = 0;
    }
    if (used_ < lines_per_second_) return ++used_ > 0;
    ++left_out_;
    return false;
  }

  // Returns how many lines were left out, once the second in which that began is over. Then begins to count
  // anew.
  std::int64_t left_out(Time now) {
    const std::lock_guard lock(mutex_);
    return now - since_ >= std::chrono::seconds(1) ? std::exchange(left_out_, 0) : 0;
  }

 private:
  const std::int64_t lines_per_second_;
  std::mutex mutex_;
  Time since_{};
  std::int64_t used_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace rocket::api
