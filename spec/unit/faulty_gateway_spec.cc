#include "rocket/payments/faulty_gateway.h"

#include <gtest/gtest.h>

#include <chrono>
#include <variant>

#include "rocket/process/event_loop.h"

namespace rocket::payments {
namespace {

// Charges, and counts the charges.
class CountingGateway : public ChargeGateway {
 public:
  asio::awaitable<ChargeResult> charge(ChargeRequest /*request*/) override {
    ++charges;
    co_return Charged{"ch_1"};
  }
  asio::awaitable<LookupResult> find(ChargeRequest /*request*/) override { co_return Charged{"ch_found"}; }
  asio::awaitable<RefundResult> refund(RefundRequest /*request*/) override { co_return Refunded{"re_1"}; }
  asio::awaitable<RefundLookupResult> find_refund(RefundRequest /*request*/) override {
    co_return Refunded{"re_found"};
  }

  int charges = 0;
};

ChargeResult charge(ChargeGateway& gateway) {
  process::EventLoop loop;
  return loop.run(gateway.charge({}));
}

TEST(FaultyGateway, KnowsItsFaultsByName) {
  EXPECT_EQ(fault_named("down"), Fault::kDown);
  EXPECT_EQ(fault_named("answer-lost"), Fault::kAnswerLost);
  EXPECT_EQ(fault_named("stall"), Fault::kStall);
  EXPECT_EQ(fault_named(""), std::nullopt);
}

TEST(FaultyGateway, DoesNotReachAProviderThatIsDown) {
  CountingGateway provider;
  FaultyGateway gateway(provider, Fault::kDown);
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(charge(gateway)));
  EXPECT_EQ(provider.charges, 0);
}

TEST(FaultyGateway, LosesTheAnswerToACharge) {
  CountingGateway provider;
  FaultyGateway gateway(provider, Fault::kAnswerLost);
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(charge(gateway)));
  EXPECT_EQ(provider.charges, 1);
}

TEST(FaultyGateway, StallsWithTheAnswer) {
  CountingGateway provider;
  constexpr std::chrono::milliseconds kStall{30};
  FaultyGateway gateway(provider, Fault::kStall, kStall);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(std::holds_alternative<Charged>(charge(gateway)));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kStall);
  EXPECT_EQ(provider.charges, 1);
}

TEST(FaultyGateway, LooksUpAsUsual) {
  CountingGateway provider;
  FaultyGateway gateway(provider, Fault::kDown);
  process::EventLoop loop;
  const LookupResult found = loop.run(gateway.find({}));
  ASSERT_TRUE(std::holds_alternative<Charged>(found));
  EXPECT_EQ(std::get<Charged>(found).charge_id, "ch_found");
}

}  // namespace
}  // namespace rocket::payments
