#pragma once

#include <chrono>

namespace rocket::api {

// A descriptor that can be read once in each interval.
class PeriodicTimer {
 public:
  // Throws std::system_error when the kernel gives no descriptor.
  explicit PeriodicTimer(std::chrono::nanoseconds interval);
  ~PeriodicTimer();
  PeriodicTimer(const PeriodicTimer&) = delete;
  PeriodicTimer& operator=(const PeriodicTimer&) = delete;

  int descriptor() const { return timer_; }
  // Makes the descriptor unreadable until the next interval ends. Does not block.
  void acknowledge() const;

 private:
  int timer_;
};

}  // namespace rocket::api
