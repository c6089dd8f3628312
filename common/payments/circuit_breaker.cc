#include "rocket/payments/circuit_breaker.h"

#include <utility>
#include <variant>

#include "rocket/base/settings.h"

namespace rocket::payments {
namespace {

constexpr const char* kNotCalled = "the payment provider does not answer; not called";

}  // namespace

// Whether one call is refused, made, or made as a probe. A probe ends with its permit, even if nobody waits
// for the call any more.
class CircuitBreaker::Permit {
 public:
  explicit Permit(CircuitBreaker& breaker) : breaker_(breaker), admission_(breaker.admit()) {}
  ~Permit() {
    if (admission_ == Admission::kProbe) breaker_.end_probe();
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;

  bool granted() const { return admission_ != Admission::kRefused; }
  // `none` is null when the provider answered.
  void note(const NoAnswer* none, const RequestIds& ids) const { breaker_.note(admission_, none, ids); }

 private:
  CircuitBreaker& breaker_;
  Admission admission_;
};

// Counts a call as in flight for as long as this object lives.
class CircuitBreaker::InFlight {
 public:
  explicit InFlight(CircuitBreaker& breaker) : count_(breaker.calls_in_flight_) { ++count_; }
  ~InFlight() { --count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::atomic<std::size_t>& count_;
};

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
  const Permit permit(*this);
  if (!permit.granted()) co_return NoAnswer{kNotCalled};
  const InFlight in_flight(*this);
  const SharedRequestIds ids = request.ids;
  ChargeResult result = co_await gateway_.charge(std::move(request));
  permit.note(std::get_if<NoAnswer>(&result), ids_or_none(ids));
  co_return result;
}

asio::awaitable<RefundResult> CircuitBreaker::refund(RefundRequest request) {
  const Permit permit(*this);
  if (!permit.granted()) co_return NoAnswer{kNotCalled};
  const InFlight in_flight(*this);
  const SharedRequestIds ids = request.ids;
  RefundResult result = co_await gateway_.refund(std::move(request));
  permit.note(std::get_if<NoAnswer>(&result), ids_or_none(ids));
  co_return result;
}

// Look-ups are few: they are neither refused nor counted.
asio::awaitable<LookupResult> CircuitBreaker::find(ChargeRequest request) {
  const InFlight in_flight(*this);
  co_return co_await gateway_.find(std::move(request));
}

asio::awaitable<RefundLookupResult> CircuitBreaker::find_refund(RefundRequest request) {
  const InFlight in_flight(*this);
  co_return co_await gateway_.find_refund(std::move(request));
}

CircuitState CircuitBreaker::state() const {
  const std::lock_guard lock(mutex_);
  if (failures_ < options_.failures) return CircuitState::kClosed;
  const bool probes = probes_under_way_ > 0 || now_() >= next_probe_;
  return probes ? CircuitState::kHalfOpen : CircuitState::kOpen;
}

CircuitBreaker::Admission CircuitBreaker::admit() {
  const std::lock_guard lock(mutex_);
  if (failures_ < options_.failures) return Admission::kCall;
  if (now_() < next_probe_) return Admission::kRefused;
  // One probe for each pause: the next one may go after another pause, whatever becomes of this one.
  next_probe_ = now_() + options_.pause;
  ++probes_under_way_;
  return Admission::kProbe;
}

void CircuitBreaker::note(Admission admission, const NoAnswer* none, const RequestIds& ids) {
  const std::lock_guard lock(mutex_);
  const bool was_open = failures_ >= options_.failures;
  if (none == nullptr || none->busy) {
    failures_ = 0;
    if (was_open) {
      log_.info("payment provider answers again", {ids.request_field(), ids.key_field(), ids.trace_field()});
    }
    return;
  }
  ++failures_;
  if (admission == Admission::kProbe) {
    log_.warn("probe of the payment provider got no answer", {{"failures", failures_},
                                                              {"error", none->reason},
                                                              ids.request_field(),
                                                              ids.key_field(),
                                                              ids.trace_field()});
  }
  if (was_open || failures_ < options_.failures) return;
  next_probe_ = now_() + options_.pause;
  log_.warn("payment provider does not answer; left alone for a while", {{"failures", failures_},
                                                                         {"error", none->reason},
                                                                         ids.request_field(),
                                                                         ids.key_field(),
                                                                         ids.trace_field()});
}

void CircuitBreaker::end_probe() {
  const std::lock_guard lock(mutex_);
  --probes_under_way_;
}

}  // namespace rocket::payments
