#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

#include "rocket/base/log.h"
#include "rocket/payments/charge_gateway.h"

namespace rocket::payments {

struct CircuitOptions {
  // Calls in a row without an answer that open the circuit.
  std::int64_t failures = 20;
  // How long nothing is sent once the circuit is open. Then one call is let through to see whether the
  // provider answers again.
  std::chrono::milliseconds pause{2000};

  // Adds --circuit-… flags for each.
  void add_to(Settings& settings);
};

enum class CircuitState {
  // Calls are made.
  kClosed,
  // Calls are refused.
  kOpen,
  // One call is under way, or will be made next, to see whether the provider answers again. All others are
  // refused.
  kHalfOpen,
};

// Protects a gateway whose provider may stop answering. When several calls in a row get no answer, the
// circuit opens: further calls return NoAnswer at once, instead of piling up behind a provider that is down.
// After the pause one call goes through as a probe. If it gets an answer, the circuit closes; until then
// there is one probe for each pause. See
// https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker. The log says when the circuit
// opens and closes, and reports each probe without an answer. Thread safe.
//
// A refused call was certainly not sent. NoAnswer is true for it, and does no harm to the idempotency key:
// the key is released and tried again later.
class CircuitBreaker : public ChargeGateway {
 public:
  using Clock = std::chrono::steady_clock;

  // `gateway` and `log` must outlive the breaker. `now` is for tests.
  CircuitBreaker(ChargeGateway& gateway, CircuitOptions options, const Log& log,
                 std::function<Clock::time_point()> now = Clock::now);

  asio::awaitable<ChargeResult> charge(ChargeRequest request) override;
  asio::awaitable<LookupResult> find(ChargeRequest request) override;
  asio::awaitable<RefundResult> refund(RefundRequest request) override;
  asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) override;

  CircuitState state() const;
  // Calls and look-ups that wait for the provider's answer.
  std::size_t calls_in_flight() const { return calls_in_flight_.load(std::memory_order_relaxed); }

 private:
  class Permit;
  class InFlight;
  enum class Admission { kRefused, kCall, kProbe };

  Admission admit();
  void note(Admission admission, const NoAnswer* none, const RequestIds& ids);
  void end_probe();

  ChargeGateway& gateway_;
  CircuitOptions options_;
  const Log& log_;
  std::function<Clock::time_point()> now_;
  std::atomic<std::size_t> calls_in_flight_{0};

  mutable std::mutex mutex_;
  std::int64_t failures_ = 0;
  // While the circuit is open: when the next probe may go.
  Clock::time_point next_probe_{};
  std::size_t probes_under_way_ = 0;
};

}  // namespace rocket::payments
