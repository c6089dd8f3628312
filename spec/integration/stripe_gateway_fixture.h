#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <variant>

#include "rocket/base/ids.h"
#include "rocket/payments/stripe_gateway.h"
#include "rocket/process/event_loop.h"
#include "spec/support/payment_provider.h"

namespace rocket::payments {

// A new charge for ride 7.
inline ChargeRequest request(const std::string& key = random_uuid(),
                             const std::string& customer = "cus_user") {
  return {key,  customer,
          2000, "usd",
          "7",  std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now())};
}

inline StripeOptions options_for(const spec::PaymentProvider& provider) {
  StripeOptions options;
  options.api_key = spec::PaymentProvider::kApiKey;
  options.api_base = provider.url();
  options.timeout = std::chrono::milliseconds(300);
  return options;
}

// The gateway to Stripe, with a provider that can be told to fail.
class StripeGatewaySpec : public testing::Test {
 protected:
  ChargeResult charge(const ChargeRequest& request) { return loop_.run(gateway_.charge(request)); }
  LookupResult find(const ChargeRequest& request) { return loop_.run(gateway_.find(request)); }
  static std::string charge_id(const ChargeResult& result) {
    const auto* charged = std::get_if<Charged>(&result);
    return charged == nullptr ? "" : charged->charge_id;
  }
  RefundResult refund(const RefundRequest& request) { return loop_.run(gateway_.refund(request)); }
  RefundLookupResult find_refund(const RefundRequest& request) {
    return loop_.run(gateway_.find_refund(request));
  }
  static RefundRequest refund_of(const std::string& charge_id) {
    return {random_uuid(), charge_id, 2000, "7"};
  }
  static std::string refund_id(const RefundResult& result) {
    const auto* refunded = std::get_if<Refunded>(&result);
    return refunded == nullptr ? "" : refunded->refund_id;
  }
  std::size_t charges() const { return provider_.ledger()["charges"].size(); }

  std::size_t calls() const { return provider_.ledger()["calls"].get<std::size_t>(); }

  spec::PaymentProvider provider_;
  process::EventLoop loop_;
  StripeGateway gateway_{options_for(provider_)};
};

}  // namespace rocket::payments
