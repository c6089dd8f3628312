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

// Where coroutines wait until a test says go: they are suspended, and their thread goes on with other work.
// Thread safe. Must outlive the coroutines that wait, or be abandoned together with their executor.
class Gate {
 public:
  // Returns at once when the gate is open. For coroutines of a single-threaded executor.
  asio::awaitable<void> pass();
  // Lets everyone through, now and from now on.
  void open();
  // True when so many have arrived, whether they still wait or not.
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
