#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace rocket::api {

// Bounds how many lines a second are logged about one thing, so that nobody can fill a disk with them. Thread
// safe.
class LineBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit LineBudget(std::int64_t lines_per_second) : lines_per_second_(lines_per_second) {}

  // Returns nullopt if the line must be left out. Otherwise returns how many were left out since the last
  // one.
  std::optional<std::int64_t> take(Time now) {
    const std::lock_guard lock(mutex_);
    if (now - since_ >= std::chrono::seconds(1)) {
      since_ = now;
      used_ = 0;
    }
    if (used_ >= lines_per_second_) {
      ++left_out_;
      return std::nullopt;
    }
    ++used_;
    const std::int64_t left_out = left_out_;
    left_out_ = 0;
    return left_out;
  }

 private:
  const std::int64_t lines_per_second_;
  std::mutex mutex_;
  Time since_{};
  std::int64_t used_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace rocket::api
