#include "spec/support/payment_provider.h"

#include <stdexcept>

#include "spec/support/http_client.h"

namespace rocket::spec {

PaymentProvider::PaymentProvider(const std::vector<std::string>& flags)
    : process_("payment_provider", {}, flags) {
  const std::string line = process_.wait_for_line("listening port=");
  port_ = static_cast<std::uint16_t>(std::stoi(line.substr(line.find('=') + 1)));
}

Environment PaymentProvider::environment() const {
  return {{"CHARGE_GATEWAY", "stripe"}, {"STRIPE_API_KEY", kApiKey}, {"STRIPE_API_BASE", url()}};
}

nlohmann::json PaymentProvider::ledger() const {
  return nlohmann::json::parse(exchange(port_, {"GET", "/test/ledger", {}, ""}).body);
}

ChargesByRide PaymentProvider::charges() const { return by_ride("charges"); }

ChargesByRide PaymentProvider::refunds() const { return by_ride("refunds"); }

ChargesByRide PaymentProvider::by_ride(const char* what) const {
  ChargesByRide moved;
  const nlohmann::json all = ledger()[what];
  for (const auto& each : all) {
    if (each["status"] != "succeeded") continue;
    moved[each["metadata"]["ride_id"].get<std::string>()].insert(each["id"].get<std::string>());
  }
  return moved;
}

void PaymentProvider::tell(const std::string& what, const std::string& form) const {
  const ClientResponse answer = exchange(port_, {"POST", "/test/" + what, {}, form});
  if (answer.status != 200) throw std::runtime_error("the provider did not understand: " + form);
}

}  // namespace rocket::spec
