#include "payments/circuit_breaker.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "process/event_loop.h"
#include "spec/support/scripted_gateway.h"

namespace rocket::payments {
namespace {

using Behaviour = spec::ScriptedGateway::Behaviour;
using std::chrono::milliseconds;

class CircuitBreakerSpec : public testing::Test {
 protected:
  // "charged", or "no answer".
  std::string charge() {
    process::EventLoop loop;
    const ChargeResult result = loop.run(breaker_.charge({"key", "cus_user", 2000, "usd", "7"}));
    return std::holds_alternative<NoAnswer>(result) ? "no answer" : "charged";
  }
  std::string refund() {
    process::EventLoop loop;
    const RefundResult result = loop.run(breaker_.refund({"key", "ch_1", 2000, "7"}));
    return std::holds_alternative<NoAnswer>(result) ? "no answer" : "refunded";
  }
  // Calls until the circuit opens.
  void open() {
    provider_.plan(Behaviour::kIsAway, 3);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(charge(), "no answer");
  }
  std::size_t sent() const { return provider_.calls().size(); }

  spec::ScriptedGateway provider_;
  Log log_;
  CircuitBreaker::Clock::time_point time_{};
  CircuitBreaker breaker_{
      provider_, {.failures = 3, .pause = milliseconds(100)}, log_, [this] { return time_; }};
};

TEST_F(CircuitBreakerSpec, PassesCallsOn) {
  EXPECT_EQ(charge(), "charged");
  EXPECT_TRUE(breaker_.closed());
  EXPECT_EQ(sent(), 1U);
}

TEST_F(CircuitBreakerSpec, OpensAfterFailuresInARow) {
  open();
  EXPECT_FALSE(breaker_.closed());
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(sent(), 3U) << "refused calls are not sent";
}

TEST_F(CircuitBreakerSpec, AnAnswerInBetweenKeepsItClosed) {
  for (int i = 0; i < 5; ++i) {
    provider_.plan({{Behaviour::kIsAway}, {Behaviour::kLosesAnswer}, {Behaviour::kDeclines}});
    for (int call = 0; call < 3; ++call) charge();
  }
  EXPECT_TRUE(breaker_.closed());
  EXPECT_EQ(sent(), 15U);
}

TEST_F(CircuitBreakerSpec, RefundsCountAsChargesDo) {
  provider_.plan(Behaviour::kIsAway, 2);
  EXPECT_EQ(refund(), "no answer");
  EXPECT_EQ(charge(), "no answer");
  provider_.plan(Behaviour::kIsAway);
  EXPECT_EQ(refund(), "no answer");
  EXPECT_FALSE(breaker_.closed());
  EXPECT_EQ(refund(), "no answer");
  EXPECT_EQ(provider_.refund_calls().size(), 2U) << "refused calls are not sent";
  time_ += milliseconds(100);
  EXPECT_EQ(refund(), "refunded");
  EXPECT_TRUE(breaker_.closed());
}

// Many requests for one refund must not shut the door to everybody's charges.
TEST_F(CircuitBreakerSpec, AProviderThatIsBusyWithTheSameKeyIsNotDown) {
  provider_.plan(Behaviour::kIsBusy, 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refund(), "no answer");
  EXPECT_TRUE(breaker_.closed());
}

TEST_F(CircuitBreakerSpec, AProbeThatIsAnsweredClosesIt) {
  open();
  time_ += milliseconds(99);
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(sent(), 3U);
  time_ += milliseconds(1);
  EXPECT_EQ(charge(), "charged");
  EXPECT_TRUE(breaker_.closed());
  EXPECT_EQ(charge(), "charged");
  EXPECT_EQ(sent(), 5U);
}

TEST_F(CircuitBreakerSpec, AProbeThatIsNotAnsweredBeginsAnotherPause) {
  open();
  provider_.plan(Behaviour::kIsAway);
  time_ += milliseconds(100);
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(sent(), 4U) << "one probe for each pause";
  time_ += milliseconds(100);
  EXPECT_EQ(charge(), "charged");
}

TEST_F(CircuitBreakerSpec, AProbeThatThrowsIsFollowedByAnother) {
  open();
  provider_.plan(Behaviour::kThrows);
  time_ += milliseconds(100);
  EXPECT_ANY_THROW(charge());
  EXPECT_FALSE(breaker_.closed());
  time_ += milliseconds(100);
  EXPECT_EQ(charge(), "charged");
}

TEST_F(CircuitBreakerSpec, LookUpsAlwaysPass) {
  open();
  process::EventLoop loop;
  const LookupResult found = loop.run(breaker_.find({"key", "cus_user", 2000, "usd", "7"}));
  EXPECT_TRUE(std::holds_alternative<NeverCharged>(found));
  const RefundLookupResult refund = loop.run(breaker_.find_refund({"key", "ch_1", 2000, "7"}));
  EXPECT_TRUE(std::holds_alternative<NeverRefunded>(refund));
  EXPECT_EQ(provider_.lookups(), 2U);
}

}  // namespace
}  // namespace rocket::payments
