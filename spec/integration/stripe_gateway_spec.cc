#include "rocket/payments/stripe_gateway.h"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <variant>

#include "rocket/base/ids.h"
#include "rocket/process/event_loop.h"
#include "spec/integration/stripe_gateway_fixture.h"
#include "spec/support/payment_provider.h"

// Charges at Stripe, and the connections that they take. stripe_refunds_spec.cc has what is about refunds
// alone.
namespace rocket::payments {
namespace {

using spec::PaymentProvider;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST_F(StripeGatewaySpec, ChargesOnceForEachKey) {
  const ChargeRequest ride = request();
  const std::string id = charge_id(charge(ride));
  EXPECT_TRUE(id.starts_with("ch_"));
  EXPECT_EQ(charge_id(charge(ride)), id);
  const auto ledger = provider_.ledger();
  ASSERT_EQ(ledger["charges"].size(), 1U);
  const auto& made = ledger["charges"][0];
  EXPECT_EQ(made["amount"], 2000);
  EXPECT_EQ(made["currency"], "usd");
  EXPECT_EQ(made["customer"], "cus_user");
  EXPECT_EQ(made["metadata"]["ride_id"], "7");
  EXPECT_EQ(made["metadata"]["charge_key"], ride.charge_key);
  EXPECT_NE(charge_id(charge(request())), id);
}

TEST_F(StripeGatewaySpec, EncodesWhateverItSends) {
  ChargeRequest odd = request();
  odd.customer_id = "cus_&amount=1%20+\n\"\xC3\xBC";
  odd.ride_id = "7&customer=cus_other";
  EXPECT_NE(charge_id(charge(odd)), "");
  const auto ledger = provider_.ledger();
  EXPECT_EQ(ledger["charges"][0]["customer"], odd.customer_id);
  EXPECT_EQ(ledger["charges"][0]["amount"], 2000);
  EXPECT_EQ(ledger["charges"][0]["metadata"]["ride_id"], odd.ride_id);
}

TEST_F(StripeGatewaySpec, TellsDeclinesFromOtherRefusals) {
  const ChargeResult declined = charge(request(random_uuid(), "cus_user_bad_source"));
  ASSERT_TRUE(std::holds_alternative<Declined>(declined));
  EXPECT_EQ(std::get<Declined>(declined).reason, "Your card was declined.");
  EXPECT_EQ(std::get<Declined>(declined).decline_code, "generic_decline");
  EXPECT_TRUE(std::holds_alternative<Rejected>(charge(request(random_uuid(), "nobody"))));
  EXPECT_EQ(provider_.attempts(), 2U) << "definite answers are not asked for again";
}

TEST_F(StripeGatewaySpec, TriesAgainWhereThatHelps) {
  for (const char* fault : {"kind=status&status=500", "kind=status&status=429&retry_after=0",
                            "kind=status&status=409", "kind=reset", "kind=reset&charged=true",
                            "kind=silence&charged=true", "kind=garbage", "kind=cut&charged=true"}) {
    provider_.fail(fault);
    EXPECT_NE(charge_id(charge(request())), "") << fault;
  }
  EXPECT_EQ(charges(), 8U);
}

TEST_F(StripeGatewaySpec, GivesUpWhenThereIsNoDefiniteAnswer) {
  for (const char* fault :
       {"kind=status&status=500&times=9", "kind=reset&times=9", "kind=silence&times=9",
        // The gateway does not repeat these calls, because their answers will not change soon.
        "kind=page", "kind=status&status=401", "kind=status&status=503&should_retry=false", "kind=other"}) {
    const std::size_t before = calls();
    provider_.fail(fault);
    const bool repeated = std::string(fault).find("times=9") != std::string::npos;
    EXPECT_TRUE(std::holds_alternative<NoAnswer>(charge(request()))) << fault;
    // libcurl itself repeats a call if a kept connection breaks.
    EXPECT_GE(calls(), before + (repeated ? 3U : 1U)) << fault;
    EXPECT_LE(calls(), before + (repeated ? 6U : 1U)) << fault;
    provider_.heal();
  }
  EXPECT_EQ(charges(), 0U);
}

TEST_F(StripeGatewaySpec, WaitsAsLongAsItIsAskedToAndNoLongerThanItMay) {
  provider_.fail("kind=status&status=429&retry_after=1");
  const auto before = Clock::now();
  EXPECT_NE(charge_id(charge(request())), "");
  EXPECT_GE(Clock::now() - before, std::chrono::seconds(1));

  provider_.fail("kind=status&status=429&retry_after=31");
  const auto again = Clock::now();
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(charge(request())));
  EXPECT_LT(Clock::now() - again, std::chrono::seconds(5));
}

// A call with the same key would get the same failure for a day.
TEST_F(StripeGatewaySpec, LooksUpWhatFailedForGood) {
  provider_.fail("kind=status&status=500&charged=true&stored=true");
  const ChargeRequest ride = request();
  const std::string id = charge_id(charge(ride));
  EXPECT_NE(id, "");
  EXPECT_EQ(charge_id(charge(ride)), id);
  EXPECT_EQ(charges(), 1U);

  provider_.fail("kind=status&status=500&charged=true&stored=true");
  const RefundRequest back = refund_of(id);
  EXPECT_NE(refund_id(refund(back)), "");
  EXPECT_EQ(provider_.refunds()["7"].size(), 1U);
}

TEST_F(StripeGatewaySpec, SendsNothingAnewWhereAFailureIsStoredAndNothingIsListed) {
  const std::string id = charge_id(charge(request()));
  const std::string stored = "kind=status&status=500&stored=true";
  provider_.fail(stored);
  const ChargeRequest ride = request();
  const RefundRequest back = refund_of(id);
  for (int i = 0; i < 2; ++i) {
    const std::size_t before = calls();
    const ChargeResult result = charge(ride);
    ASSERT_TRUE(std::holds_alternative<NoAnswer>(result));
    EXPECT_NE(std::get<NoAnswer>(result).reason.find("lists no such charge"), std::string::npos);
    EXPECT_LE(calls(), before + 3) << "twice, and the list";
  }
  provider_.fail(stored);
  const RefundResult result = refund(back);
  ASSERT_TRUE(std::holds_alternative<NoAnswer>(result));
  EXPECT_NE(std::get<NoAnswer>(result).reason.find("lists no such refund"), std::string::npos);
  EXPECT_EQ(charges(), 1U);
  // Once Stripe has forgotten the key, the call succeeds.
  provider_.forget_keys();
  EXPECT_NE(charge_id(charge(ride)), "");
  EXPECT_NE(refund_id(refund(back)), "");
}

TEST_F(StripeGatewaySpec, TakesNoAnswerForAnother) {
  provider_.fail("kind=twice&charged=true");
  const ChargeRequest first = request();
  const std::string first_id = charge_id(charge(first));
  EXPECT_NE(first_id, "");
  for (int i = 0; i < 3; ++i) {
    const ChargeResult next = charge(request());
    EXPECT_NE(charge_id(next), first_id);
  }
}

TEST_F(StripeGatewaySpec, FindsAChargeWhoseKeyIsForgotten) {
  const ChargeRequest ride = request();
  const std::string id = charge_id(charge(ride));
  // More entries than the hundred of one page.
  for (int i = 0; i < 120; ++i) charge(request());
  provider_.forget_keys();
  const LookupResult found = find(ride);
  ASSERT_TRUE(std::holds_alternative<Charged>(found));
  EXPECT_EQ(std::get<Charged>(found).charge_id, id);
  EXPECT_TRUE(std::holds_alternative<NeverCharged>(find(request())));
  EXPECT_TRUE(std::holds_alternative<NeverCharged>(find(request(ride.charge_key, "cus_other"))));
  ChargeRequest later = ride;
  later.not_before += std::chrono::hours(3);
  EXPECT_TRUE(std::holds_alternative<NeverCharged>(find(later)))
      << "it looks no further back than it needs to";
}

TEST_F(StripeGatewaySpec, DoesNotTakeAnOutageForAChargeNeverMade) {
  for (const char* fault : {"kind=status&status=500&times=9", "kind=page", "kind=status&status=404"}) {
    provider_.fail(fault);
    EXPECT_TRUE(std::holds_alternative<NoAnswer>(find(request()))) << fault;
    provider_.heal();
  }
}

TEST_F(StripeGatewaySpec, KeepsHundredsUnderWayOnOneThreadAndItsConnectionsOpen) {
  constexpr int kAtOnce = 300;
  StripeOptions patient = options_for(provider_);
  patient.timeout = std::chrono::seconds(10);
  StripeGateway gateway(patient);
  provider_.answer_after(200);
  asio::io_context context{1};
  int charged = 0;
  const auto run_all = [&] {
    for (int i = 0; i < kAtOnce; ++i) {
      asio::co_spawn(context, gateway.charge(request()),
                     [&](const std::exception_ptr& error, const ChargeResult& result) {
                       if (!error && std::holds_alternative<Charged>(result)) ++charged;
                     });
    }
    context.restart();
    context.run();
  };
  const auto before = Clock::now();
  run_all();
  run_all();
  EXPECT_EQ(charged, 2 * kAtOnce);
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(30)) << "one after another would take 120";
  EXPECT_LT(provider_.ledger()["connections"], kAtOnce * 3 / 2) << "the second time they are there already";
}

TEST_F(StripeGatewaySpec, LeavesNothingBehindWhenItsLoopEndsFirst) {
  provider_.fail("kind=silence&times=9");
  bool completed = false;
  {
    asio::io_context context{1};
    asio::co_spawn(context, gateway_.charge(request()),
                   [&](const std::exception_ptr&, const ChargeResult&) { completed = true; });
    context.run_for(milliseconds(50));
  }
  EXPECT_FALSE(completed);
}

TEST(StripeGatewayOverTls, TrustsOnlyWhomItIsToldTo) {
  const std::string folder = testing::TempDir() + "tls-" + random_uuid();
  std::filesystem::create_directory(folder);
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
      folder + "/key.pem -out " + folder + "/certificate.pem 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
  {
    PaymentProvider provider(
        {"--certificate", folder + "/certificate.pem", "--private-key", folder + "/key.pem"});
    StripeOptions options;
    options.api_key = PaymentProvider::kApiKey;
    options.api_base = "https://localhost:" + std::to_string(provider.port());
    process::EventLoop loop;
    const ChargeResult refused = loop.run(StripeGateway(options).charge(request()));
    EXPECT_TRUE(std::holds_alternative<NoAnswer>(refused)) << "nobody vouches for this certificate";
    options.ca_file = folder + "/certificate.pem";
    EXPECT_TRUE(std::holds_alternative<Charged>(loop.run(StripeGateway(options).charge(request()))));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace rocket::payments
