#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace rocket::spec {

// Coroutines wait here until a test opens the gate. A waiting coroutine is suspended and does not block its
// thread. Thread safe. Must outlive the waiting coroutines, or their executor must never run again.
class Gate {
 public:
  // Returns at once when the gate is open. For coroutines of a single-threaded executor.
  asio::awaitable<void> pass();
  // Lets all coroutines through, also those that arrive later.
  void open();
  // Waits until this many coroutines have arrived, whether or not they still wait. Returns false at the
  // limit.
  bool wait_for_arrivals(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(15));

 private:
  struct Waiter {
    asio::any_io_executor executor;
    std::weak_ptr<asio::steady_timer> timer;
  };

  std::mutex mutex_;
  std::condition_variable arrived_;
  bool open_ = false;
  std::size_t arrivals_ = 0;
  std::vector<Waiter> waiters_;
};

}  // namespace rocket::spec
