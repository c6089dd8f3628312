#pragma once

#include <chrono>
#include <utility>

#include "rocket/payments/charge_gateway.h"

namespace rocket::payments {

enum class Call { kCharge, kRefund, kFindCharge, kFindRefund };

enum class CallEnd {
  // The money moved. For a look-up: it had moved.
  kSucceeded,
  kDeclined,
  kRejected,
  // A look-up found that no money had moved.
  kNothingFound,
  // The provider works, but gives no answer for this key now; see NoAnswer::busy.
  kBusy,
  // No definite answer.
  kUnavailable,
  // The call threw: a mistake on our side.
  kFailed,
};

// Is told of calls to the payment provider, for metrics. Must be thread safe and quick, and must not throw.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void call_ended(Call call, CallEnd end, std::chrono::nanoseconds duration) = 0;
};

// Tells an observer how each call to another gateway ended, and how long it took. Thread safe.
class ObservedGateway : public ChargeGateway {
 public:
  // `gateway` and `observer` must outlive this one.
  ObservedGateway(ChargeGateway& gateway, CallObserver& observer) : gateway_(gateway), observer_(observer) {}

  asio::awaitable<ChargeResult> charge(ChargeRequest request) override;
  asio::awaitable<LookupResult> find(ChargeRequest request) override;
  asio::awaitable<RefundResult> refund(RefundRequest request) override;
  asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) override;

 private:
  ChargeGateway& gateway_;
  CallObserver& observer_;
};

}  // namespace rocket::payments
