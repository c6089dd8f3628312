#include "rocket/payments/faulty_gateway.h"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <utility>

namespace rocket::payments {

std::optional<Fault> fault_named(std::string_view name) {
  if (name == "down") return Fault::kDown;
  if (name == "answer-lost") return Fault::kAnswerLost;
  if (name == "stall") return Fault::kStall;
  return std::nullopt;
}

asio::awaitable<ChargeResult> FaultyGateway::charge(ChargeRequest request) {
  if (fault_ == Fault::kDown) co_return NoAnswer{"the laboratory kept the provider away"};
  ChargeResult result = co_await gateway_.charge(std::move(request));
  if (fault_ == Fault::kAnswerLost) co_return NoAnswer{"the laboratory lost the provider's answer"};
  asio::steady_timer timer(co_await asio::this_coro::executor, stall_time_);
  co_await timer.async_wait(asio::use_awaitable);
  co_return result;
}

}  // namespace rocket::payments
