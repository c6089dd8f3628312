#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spec/support/provider/http.h"

namespace rocket::spec::provider {

// What this provider remembers, and how it answers: as much of Stripe's API as its documentation describes
// for customers, charges and refunds (https://docs.stripe.com/api/charges, /customers, /refunds, /errors,
// /idempotent_requests).
class StripeApi {
 public:
  explicit StripeApi(std::string api_key) : api_key_(std::move(api_key)) {}

  // The answer, as far as it can be given at once. While a charge with an idempotency key is being worked on,
  // the same key is refused; `done` says that the work has ended.
  Response begin(const Request& request);
  void done(const Request& request);
  // Stores another answer for the request's idempotency key than was given.
  void remember(const Request& request, const Response& response);
  // As a day later.
  void forget_keys() { keys_.clear(); }
  // A charge that somebody else made.
  static nlohmann::json foreign_charge();
  // Every attempt to charge, every charge, every attempt to refund, and every refund, in order.
  nlohmann::json ledger() const;

 private:
  struct Key {
    Fields fields;
    Response response;
    bool in_use = true;
  };

  Response create_customer(const Request& request);
  Response list_customers(const Request& request) const;
  Response create_charge(const Request& request);
  Response list_charges(const Request& request) const;
  Response create_refund(const Request& request);
  Response list_refunds(const Request& request) const;
  nlohmann::json make_charge(const Fields& fields, const std::string& status);

  std::string api_key_;
  std::map<std::string, Key> keys_;
  std::vector<nlohmann::json> customers_;
  // Oldest first.
  std::vector<nlohmann::json> charges_;
  // Oldest first.
  std::vector<nlohmann::json> refunds_;
  nlohmann::json attempts_ = nlohmann::json::array();
  nlohmann::json refund_attempts_ = nlohmann::json::array();
  std::int64_t serial_ = 0;
};

}  // namespace rocket::spec::provider
