#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spec/support/provider/http.h"

namespace rocket::spec::provider {

// The memory and the answers of this provider. It follows Stripe's documentation of customers, charges and
// refunds (https://docs.stripe.com/api/charges, /customers, /refunds, /errors, /idempotent_requests).
class StripeApi {
 public:
  explicit StripeApi(std::string api_key) : api_key_(std::move(api_key)) {}

  // Begins a request and returns its answer. Until done() is called, it refuses another request with the same
  // idempotency key.
  Response begin(const Request& request);
  void done(const Request& request);
  // Stores another answer for the request's idempotency key in place of the one that begin() gave.
  void remember(const Request& request, const Response& response);
  // Forgets all idempotency keys, as Stripe does after a day.
  void forget_keys() { keys_.clear(); }
  // A charge that belongs to another client.
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
