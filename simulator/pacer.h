#pragma once

#include <chrono>
#include <mutex>
#include <stop_token>

namespace rocket::simulator {

// Sleeps for this time. Returns false at once if told to stop.
bool pause(const std::stop_token& stop, std::chrono::steady_clock::duration duration);

// Spreads the requests of all threads evenly over time. Thread safe.
class Pacer {
 public:
  // Requests per second; 0: no waiting.
  explicit Pacer(double rate);

  // Returns when the next request may be sent. Returns false if told to stop.
  bool wait_turn(const std::stop_token& stop);

 private:
  using Clock = std::chrono::steady_clock;

  Clock::duration interval_;
  std::mutex mutex_;
  Clock::time_point next_ = Clock::now();
};

}  // namespace rocket::simulator
