#pragma once

#include <memory>
#include <string>

#include "rocket/payments/charge_gateway.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/payments/mock_gateway.h"
#include "rocket/payments/stripe_gateway.h"

namespace rocket::payments {

// Which payment provider a process uses, and how.
struct ProviderOptions {
  std::string gateway = "mock";
  MockOptions mock;
  StripeOptions stripe;
  CircuitOptions circuit;

  // True unless charges are made by the mock or with one of Stripe's test keys
  // (https://docs.stripe.com/keys). Call it once the settings have been read.
  bool moves_money() const;

  // Adds --charge-gateway, and the flags of each. The options must outlive the settings.
  void add_to(Settings& settings);
};

// Make it before the first thread starts. Throws std::system_error as MockGateway does.
std::unique_ptr<ChargeGateway> make_gateway(const ProviderOptions& options);

}  // namespace rocket::payments
