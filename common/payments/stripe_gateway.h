#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "rocket/http/library.h"
#include "rocket/http/messages.h"
#include "rocket/payments/charge_gateway.h"
#include "rocket/payments/stripe_answers.h"

namespace rocket {
class Settings;
}

namespace rocket::payments {

struct StripeOptions {
  std::string api_key;
  // Alternatively a file whose first line is the key.
  std::string api_key_file;
  std::string api_base = "https://api.stripe.com";
  // Certificate authorities to trust; empty for the system's.
  std::string ca_file;
  std::chrono::milliseconds connect_timeout{2000};
  // Longest time for one try.
  std::chrono::milliseconds timeout{10'000};
  // Longest time for all tries of a call and the waits between them. It stays below the lease, which is 90 s.
  std::chrono::milliseconds total_timeout{30'000};

  // Adds --stripe-… flags for each but the key, which comes from the environment or from its file.
  void add_to(Settings& settings);
  // Returns what is wrong with the options, or nullopt. Reads the key's file. Call it only if this gateway is
  // used.
  std::optional<std::string> mistake();
};

// Charges and refunds through Stripe's API, https://docs.stripe.com/api/charges and /refunds, as of version
// 2024-06-20. Each try of a charge carries its charge key as Stripe's idempotency key, so a try is safe to
// repeat. It is repeated a few times if there is no definite answer. The ride's id and the charge key travel
// as metadata, by which a charge is found again after Stripe has forgotten its key. The same holds for
// refunds. Thread safe.
class StripeGateway : public ChargeGateway {
 public:
  explicit StripeGateway(StripeOptions options);

  asio::awaitable<ChargeResult> charge(ChargeRequest request) override;
  asio::awaitable<LookupResult> find(ChargeRequest request) override;
  asio::awaitable<RefundResult> refund(RefundRequest request) override;
  asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) override;

  // The id of the customer with this e-mail address. Makes the customer, without a card, if there is none
  // (https://docs.stripe.com/api/customers).
  asio::awaitable<std::variant<std::string, NoAnswer>> customer(std::string email);

 private:
  // Looks for all refunds of the charge, by anybody.
  asio::awaitable<std::variant<stripe::RefundsFound, Unknown, NoAnswer>> look_for_refunds(
      RefundRequest request) const;
  http::Call call_to(const std::string& path, const SharedRequestIds& ids) const;
  asio::awaitable<std::variant<http::Answer, NoAnswer>> insist(http::Call call) const;

  http::Library library_;
  StripeOptions options_;
};

}  // namespace rocket::payments
