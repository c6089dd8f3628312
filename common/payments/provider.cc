#include "rocket/payments/provider.h"

#include <optional>

#include "rocket/base/settings.h"

namespace rocket::payments {

bool ProviderOptions::moves_money() const {
  const bool is_test_key = stripe.api_key.starts_with("sk_test_") || stripe.api_key.starts_with("rk_test_");
  return gateway == "stripe" && !is_test_key;
}

void ProviderOptions::add_to(Settings& settings) {
  settings.add("charge-gateway", {"CHARGE_GATEWAY"}, "payment provider that charges are made with", gateway,
               {"mock", "stripe"});
  mock.add_to(settings);
  stripe.add_to(settings);
  circuit.add_to(settings);
  settings.require([this]() -> std::optional<std::string> {
    return gateway == "stripe" ? stripe.mistake() : std::nullopt;
  });
}

std::unique_ptr<ChargeGateway> make_gateway(const ProviderOptions& options) {
  if (options.gateway == "stripe") return std::make_unique<StripeGateway>(options.stripe);
  return std::make_unique<MockGateway>(options.mock);
}

}  // namespace rocket::payments
