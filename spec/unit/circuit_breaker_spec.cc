#include "rocket/payments/circuit_breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "rocket/process/event_loop.h"
#include "spec/support/gate.h"
#include "spec/support/scripted_gateway.h"

namespace rocket::payments {
namespace {

using Behaviour = spec::ScriptedGateway::Behaviour;
using std::chrono::milliseconds;

class CircuitBreakerSpec : public testing::Test {
 protected:
  // Returns "charged" or "no answer".
  static std::string charge(CircuitBreaker& breaker) {
    process::EventLoop loop;
    const ChargeResult result = loop.run(breaker.charge({"key", "cus_user", 2000, "usd", "7"}));
    return std::holds_alternative<NoAnswer>(result) ? "no answer" : "charged";
  }
  std::string charge() { return charge(breaker_); }
  std::string refund() {
    process::EventLoop loop;
    const RefundResult result = loop.run(breaker_.refund({"key", "ch_1", 2000, "7"}));
    return std::holds_alternative<NoAnswer>(result) ? "no answer" : "refunded";
  }
  // Makes failing calls until the circuit opens.
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
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
  EXPECT_EQ(sent(), 1U);
}

TEST_F(CircuitBreakerSpec, OpensAfterFailuresInARow) {
  open();
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(sent(), 3U) << "refused calls are not sent";
}

TEST_F(CircuitBreakerSpec, AnAnswerInBetweenKeepsItClosed) {
  for (int i = 0; i < 5; ++i) {
    provider_.plan({{Behaviour::kIsAway}, {Behaviour::kLosesAnswer}, {Behaviour::kDeclines}});
    for (int call = 0; call < 3; ++call) charge();
  }
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
  EXPECT_EQ(sent(), 15U);
}

TEST_F(CircuitBreakerSpec, RefundsCountAsChargesDo) {
  provider_.plan(Behaviour::kIsAway, 2);
  EXPECT_EQ(refund(), "no answer");
  EXPECT_EQ(charge(), "no answer");
  provider_.plan(Behaviour::kIsAway);
  EXPECT_EQ(refund(), "no answer");
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  EXPECT_EQ(refund(), "no answer");
  EXPECT_EQ(provider_.refund_calls().size(), 2U) << "refused calls are not sent";
  time_ += milliseconds(100);
  EXPECT_EQ(refund(), "refunded");
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

// Many requests for one refund must not stop the charges of all other users.
TEST_F(CircuitBreakerSpec, AProviderThatIsBusyWithTheSameKeyIsNotDown) {
  provider_.plan(Behaviour::kIsBusy, 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refund(), "no answer");
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

TEST_F(CircuitBreakerSpec, AProbeThatIsAnsweredClosesIt) {
  open();
  time_ += milliseconds(99);
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(sent(), 3U);
  time_ += milliseconds(1);
  EXPECT_EQ(charge(), "charged");
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
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

TEST_F(CircuitBreakerSpec, IsHalfOpenFromTheEndOfThePauseToThatOfTheProbe) {
  open();
  time_ += milliseconds(99);
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
  time_ += milliseconds(1);
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);

  spec::Gate gate;
  provider_.plan({{Behaviour::kIsAway, &gate}});
  std::thread prober([this] { EXPECT_EQ(charge(), "no answer"); });
  EXPECT_TRUE(gate.wait_for_arrivals(1));
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);
  EXPECT_EQ(charge(), "no answer");
  EXPECT_EQ(sent(), 4U) << "one probe at a time";
  gate.open();
  prober.join();
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);

  time_ += milliseconds(100);
  EXPECT_EQ(breaker_.state(), CircuitState::kHalfOpen);
  EXPECT_EQ(charge(), "charged");
  EXPECT_EQ(breaker_.state(), CircuitState::kClosed);
}

TEST_F(CircuitBreakerSpec, EachFailedProbeIsOneLineOfTheLog) {
  testing::internal::CaptureStdout();
  {
    const Log log("tool", {});
    CircuitBreaker breaker(provider_, {.failures = 3, .pause = milliseconds(100)}, log,
                           [this] { return time_; });
    spec::Gate gate;
    provider_.plan({{Behaviour::kIsAway, &gate}});
    std::thread straggler([&breaker] { charge(breaker); });
    EXPECT_TRUE(gate.wait_for_arrivals(1));
    provider_.plan(Behaviour::kIsAway, 3);
    for (int i = 0; i < 3; ++i) charge(breaker);
    // This call began before the circuit opened, so it is no probe.
    gate.open();
    straggler.join();
    provider_.plan(Behaviour::kIsAway, 2);
    for (int i = 0; i < 3; ++i) {
      time_ += milliseconds(100);
      charge(breaker);
    }
  }
  std::istringstream lines(testing::internal::GetCapturedStdout());
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);) events.push_back(line.substr(line.find("tool: ")));
  EXPECT_THAT(
      events,
      testing::ElementsAre(
          "tool: payment provider does not answer; left alone for a while failures=3 error=\"connection "
          "refused\"",
          "tool: probe of the payment provider got no answer failures=5 error=\"connection refused\"",
          "tool: probe of the payment provider got no answer failures=6 error=\"connection refused\"",
          "tool: payment provider answers again"));
}

TEST_F(CircuitBreakerSpec, AProbeThatThrowsIsFollowedByAnother) {
  open();
  provider_.plan(Behaviour::kThrows);
  time_ += milliseconds(100);
  EXPECT_ANY_THROW(charge());
  EXPECT_EQ(breaker_.state(), CircuitState::kOpen);
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
