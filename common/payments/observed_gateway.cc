#include "rocket/payments/observed_gateway.h"

#include <variant>

namespace rocket::payments {
namespace {

CallEnd end_of(const Charged& /*unused*/) { return CallEnd::kSucceeded; }
CallEnd end_of(const Refunded& /*unused*/) { return CallEnd::kSucceeded; }
CallEnd end_of(const Declined& /*unused*/) { return CallEnd::kDeclined; }
CallEnd end_of(const Rejected& /*unused*/) { return CallEnd::kRejected; }
CallEnd end_of(const NeverCharged& /*unused*/) { return CallEnd::kNothingFound; }
CallEnd end_of(const NeverRefunded& /*unused*/) { return CallEnd::kNothingFound; }
CallEnd end_of(const Unknown& /*unused*/) { return CallEnd::kUnavailable; }
CallEnd end_of(const NoAnswer& none) { return none.busy ? CallEnd::kBusy : CallEnd::kUnavailable; }

// One call. If it ends without a result, it has thrown. A call that nobody waits for any more, because the
// process ends, counts so too; nobody reads that.
class Observation {
 public:
  Observation(CallObserver& observer, Call call) : observer_(observer), call_(call) {}
  ~Observation() { observer_.call_ended(call_, end_, std::chrono::steady_clock::now() - since_); }
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;

  template <typename Result>
  void note(const Result& result) {
    end_ = std::visit([](const auto& each) { return end_of(each); }, result);
  }

 private:
  CallObserver& observer_;
  Call call_;
  CallEnd end_ = CallEnd::kFailed;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

template <typename Result>
asio::awaitable<Result> observed(CallObserver& observer, Call call, asio::awaitable<Result> made) {
  Observation observation(observer, call);
  Result result = co_await std::move(made);
  observation.note(result);
  co_return result;
}

}  // namespace

asio::awaitable<ChargeResult> ObservedGateway::charge(ChargeRequest request) {
  return observed(observer_, Call::kCharge, gateway_.charge(std::move(request)));
}

asio::awaitable<LookupResult> ObservedGateway::find(ChargeRequest request) {
  return observed(observer_, Call::kFindCharge, gateway_.find(std::move(request)));
}

asio::awaitable<RefundResult> ObservedGateway::refund(RefundRequest request) {
  return observed(observer_, Call::kRefund, gateway_.refund(std::move(request)));
}

asio::awaitable<RefundLookupResult> ObservedGateway::find_refund(RefundRequest request) {
  return observed(observer_, Call::kFindRefund, gateway_.find_refund(std::move(request)));
}

}  // namespace rocket::payments
