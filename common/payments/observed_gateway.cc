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

}  // namespace

asio::awaitable<ChargeResult> ObservedGateway::charge(ChargeRequest request) {
  Observation observation(observer_, Call::kCharge);
  ChargeResult result = co_await gateway_.charge(std::move(request));
  observation.note(result);
  co_return result;
}

asio::awaitable<LookupResult> ObservedGateway::find(ChargeRequest request) {
  Observation observation(observer_, Call::kFindCharge);
  LookupResult result = co_await gateway_.find(std::move(request));
  observation.note(result);
  co_return result;
}

asio::awaitable<RefundResult> ObservedGateway::refund(RefundRequest request) {
  Observation observation(observer_, Call::kRefund);
  RefundResult result = co_await gateway_.refund(std::move(request));
  observation.note(result);
  co_return result;
}

asio::awaitable<RefundLookupResult> ObservedGateway::find_refund(RefundRequest request) {
  Observation observation(observer_, Call::kFindRefund);
  RefundLookupResult result = co_await gateway_.find_refund(std::move(request));
  observation.note(result);
  co_return result;
}

}  // namespace rocket::payments
