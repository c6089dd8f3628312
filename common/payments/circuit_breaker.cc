#include "payments/circuit_breaker.h"

#include <utility>
#include <variant>

#include "base/settings.h"

namespace rocket::payments {
namespace {

constexpr const char* kNotCalled = "the payment provider does not answer; not called";

template <typename Result>
bool is_answered(const Result& result) {
  const auto* none = std::get_if<NoAnswer>(&result);
  return none == nullptr || none->busy;
}

}  // namespace

void CircuitOptions::add_to(Settings& settings) {
  using std::chrono::milliseconds;
  settings.add("circuit-failures", {"CIRCUIT_FAILURES"}, "calls",
               "calls to the payment provider without an answer, in a row, after which it is left alone",
               failures, 1, 1'000'000);
  settings.add("circuit-pause", {"CIRCUIT_PAUSE_MS"}, "for how long it is left alone then", pause,
               milliseconds(1), milliseconds(3'600'000));
}

CircuitBreaker::CircuitBreaker(ChargeGateway& gateway, CircuitOptions options, const Log& log,
                               std::function<Clock::time_point()> now)
    : gateway_(gateway), options_(options), log_(log), now_(std::move(now)) {}

asio::awaitable<ChargeResult> CircuitBreaker::charge(ChargeRequest request) {
  if (!may_call()) co_return NoAnswer{kNotCalled};
  ChargeResult result = co_await gateway_.charge(std::move(request));
  note(is_answered(result));
  co_return result;
}

asio::awaitable<RefundResult> CircuitBreaker::refund(RefundRequest request) {
  if (!may_call()) co_return NoAnswer{kNotCalled};
  RefundResult result = co_await gateway_.refund(std::move(request));
  note(is_answered(result));
  co_return result;
}

// Look-ups are few: they are neither refused nor counted.
asio::awaitable<LookupResult> CircuitBreaker::find(ChargeRequest request) {
  co_return co_await gateway_.find(std::move(request));
}

asio::awaitable<RefundLookupResult> CircuitBreaker::find_refund(RefundRequest request) {
  co_return co_await gateway_.find_refund(std::move(request));
}

bool CircuitBreaker::closed() const {
  const std::lock_guard lock(mutex_);
  return failures_ < options_.failures;
}

bool CircuitBreaker::may_call() {
  const std::lock_guard lock(mutex_);
  if (failures_ < options_.failures) return true;
  if (now_() < next_probe_) return false;
  // One probe at a time: the next one may go after another pause, whatever becomes of this one.
  next_probe_ = now_() + options_.pause;
  return true;
}

void CircuitBreaker::note(bool answered) {
  const std::lock_guard lock(mutex_);
  const bool was_open = failures_ >= options_.failures;
  if (answered) {
    failures_ = 0;
    if (was_open) log_.info("payment provider answers again");
    return;
  }
  ++failures_;
  if (was_open || failures_ < options_.failures) return;
  next_probe_ = now_() + options_.pause;
  log_.warn("payment provider does not answer; left alone for a while", {{"failures", failures_}});
}

}  // namespace rocket::payments
