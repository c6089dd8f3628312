#include "rocket/payments/observed_gateway.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "rocket/process/event_loop.h"
#include "spec/support/scripted_gateway.h"

namespace rocket::payments {
namespace {

using Behaviour = spec::ScriptedGateway::Behaviour;
using Seen = std::vector<std::pair<Call, CallEnd>>;

class Recorder : public CallObserver {
 public:
  void call_ended(Call call, CallEnd end, std::chrono::nanoseconds duration) override {
    EXPECT_GE(duration.count(), 0);
    seen.emplace_back(call, end);
  }
  Seen seen;
};

ChargeRequest charge_with(const std::string& key) {
  ChargeRequest request;
  request.charge_key = key;
  return request;
}

RefundRequest refund_with(const std::string& key) {
  RefundRequest request;
  request.refund_key = key;
  return request;
}

class ObservedGatewaySpec : public testing::Test {
 protected:
  void charge(const std::string& key) {
    process::EventLoop loop;
    loop.run(observed_.charge(charge_with(key)));
  }
  void refund(const std::string& key) {
    process::EventLoop loop;
    loop.run(observed_.refund(refund_with(key)));
  }

  spec::ScriptedGateway provider_;
  Recorder recorder_;
  ObservedGateway observed_{provider_, recorder_};
};

TEST_F(ObservedGatewaySpec, TellsHowEachChargeEnded) {
  for (const Behaviour behaviour : {Behaviour::kCharges, Behaviour::kDeclines, Behaviour::kRejects,
                                    Behaviour::kIsBusy, Behaviour::kIsAway}) {
    provider_.plan(behaviour);
    charge("key " + std::to_string(recorder_.seen.size()));
  }
  EXPECT_EQ(recorder_.seen, (Seen{{Call::kCharge, CallEnd::kSucceeded},
                                  {Call::kCharge, CallEnd::kDeclined},
                                  {Call::kCharge, CallEnd::kRejected},
                                  {Call::kCharge, CallEnd::kBusy},
                                  {Call::kCharge, CallEnd::kUnavailable}}));
}

TEST_F(ObservedGatewaySpec, TellsHowRefundsAndLookUpsEnded) {
  refund("a refund");
  process::EventLoop loop;
  loop.run(observed_.find_refund(refund_with("a refund")));
  loop.run(observed_.find(charge_with("never sent")));
  provider_.forget_everything();
  loop.run(observed_.find(charge_with("never sent")));
  EXPECT_EQ(recorder_.seen, (Seen{{Call::kRefund, CallEnd::kSucceeded},
                                  {Call::kFindRefund, CallEnd::kSucceeded},
                                  {Call::kFindCharge, CallEnd::kNothingFound},
                                  {Call::kFindCharge, CallEnd::kUnavailable}}));
}

TEST_F(ObservedGatewaySpec, PassesExceptionsOnAndTellsThatTheCallFailed) {
  provider_.plan(Behaviour::kThrows);
  EXPECT_ANY_THROW(charge("a key"));
  EXPECT_EQ(recorder_.seen, (Seen{{Call::kCharge, CallEnd::kFailed}}));
}

}  // namespace
}  // namespace rocket::payments
