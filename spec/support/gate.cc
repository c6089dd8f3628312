#include "spec/support/gate.h"

#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

namespace rocket::spec {

asio::awaitable<void> Gate::pass() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto timer = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  {
    const std::lock_guard lock(mutex_);
    ++arrivals_;
    if (!open_) waiters_.push_back({executor, timer});
    arrived_.notify_all();
    if (open_) co_return;
  }
  // open() posts to this executor, so the wait below has begun before open() cancels it.
  std::error_code cancelled;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  for (Waiter& waiter : std::exchange(waiters_, {})) {
    asio::post(waiter.executor, [weak = waiter.timer] {
      if (const auto timer = weak.lock()) timer->cancel();
    });
  }
}

bool Gate::wait_for_arrivals(std::size_t count, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return arrived_.wait_for(lock, limit, [&] { return arrivals_ >= count; });
}

}  // namespace rocket::spec
