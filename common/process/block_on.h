#pragma once

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <utility>

namespace rocket::process {

// Runs a coroutine on an executor of another thread and waits for its result, or throws what it threw.
template <typename Executor, typename T>
T block_on(const Executor& executor, asio::awaitable<T> work) {
  return asio::co_spawn(executor, std::move(work), asio::use_future).get();
}

}  // namespace rocket::process
