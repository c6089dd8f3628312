#pragma once

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace rocket::process {

// Runs coroutines to their end on the calling thread, one at a time, for processes that do one thing after
// another. What the coroutines leave behind, such as connections, must be destroyed before the loop.
class EventLoop {
 public:
  // Returns the coroutine's result, or throws what it threw.
  template <typename T>
  T run(asio::awaitable<T> work) {
    std::optional<T> result;
    std::exception_ptr error;
    asio::co_spawn(context_, keep(std::move(work), result),
                   [&](std::exception_ptr thrown) { error = std::move(thrown); });
    context_.restart();
    context_.run();
    if (error) std::rethrow_exception(error);
    return std::move(*result);
  }

 private:
  template <typename T>
  static asio::awaitable<void> keep(asio::awaitable<T> work, std::optional<T>& result) {
    result.emplace(co_await std::move(work));
  }

  asio::io_context context_{1};
};

}  // namespace rocket::process
