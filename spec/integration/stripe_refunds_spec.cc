#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "rocket/base/ids.h"
#include "spec/integration/stripe_gateway_fixture.h"

// Refunds at Stripe.
namespace rocket::payments {
namespace {

TEST_F(StripeGatewaySpec, RefundsOnceForEachKey) {
  const RefundRequest ride = refund_of(charge_id(charge(request())));
  const std::string id = refund_id(refund(ride));
  EXPECT_TRUE(id.starts_with("re_"));
  EXPECT_EQ(refund_id(refund(ride)), id);
  const auto ledger = provider_.ledger();
  ASSERT_EQ(ledger["refunds"].size(), 1U);
  EXPECT_EQ(ledger["refunds"][0]["amount"], 2000);
  EXPECT_EQ(ledger["refunds"][0]["charge"], ride.charge_id);
  EXPECT_EQ(ledger["refunds"][0]["metadata"]["ride_id"], "7");
  EXPECT_EQ(ledger["refunds"][0]["metadata"]["refund_key"], ride.refund_key);
}

TEST_F(StripeGatewaySpec, TakesAChargeThatIsRefundedForRefunded) {
  const RefundRequest ride = refund_of(charge_id(charge(request())));
  const std::string id = refund_id(refund(ride));
  provider_.forget_keys();
  EXPECT_EQ(refund_id(refund(ride)), id);
  // If another client has refunded the charge, the answer has that refund's id.
  EXPECT_EQ(refund_id(refund(refund_of(ride.charge_id))), id);
  EXPECT_EQ(provider_.ledger()["refunds"].size(), 1U);

  provider_.fail("kind=slow");
  provider_.fail("kind=status&status=500&times=9");
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(refund(refund_of(ride.charge_id))))
      << "which refund it was is not known yet";
}

TEST_F(StripeGatewaySpec, IsNotGivenMoreThanWasCharged) {
  RefundRequest ride = refund_of(charge_id(charge(request())));
  ride.amount_cents = 2001;
  EXPECT_TRUE(std::holds_alternative<Rejected>(refund(ride)));
  EXPECT_TRUE(std::holds_alternative<Rejected>(refund(refund_of("ch_of_nobody"))));
  EXPECT_EQ(provider_.ledger()["refunds"].size(), 0U);
}

TEST_F(StripeGatewaySpec, FindsARefundWhoseKeyIsForgotten) {
  const RefundRequest ride = refund_of(charge_id(charge(request())));
  EXPECT_TRUE(std::holds_alternative<NeverRefunded>(find_refund(ride)));
  // More entries than the hundred of one page.
  RefundRequest part = ride;
  part.amount_cents = 1;
  const std::string id = refund_id(refund(part));
  for (int i = 0; i < 120; ++i) {
    part.refund_key = random_uuid();
    EXPECT_NE(refund_id(refund(part)), "");
  }
  provider_.forget_keys();
  const RefundLookupResult found = find_refund(ride);
  ASSERT_TRUE(std::holds_alternative<Refunded>(found));
  EXPECT_EQ(std::get<Refunded>(found).refund_id, id);
  EXPECT_TRUE(std::holds_alternative<NeverRefunded>(find_refund(refund_of(ride.charge_id))));
  for (const char* fault : {"kind=status&status=500&times=9", "kind=page", "kind=status&status=404"}) {
    provider_.fail(fault);
    EXPECT_TRUE(std::holds_alternative<NoAnswer>(find_refund(ride))) << fault;
    provider_.heal();
  }
}

}  // namespace
}  // namespace rocket::payments
