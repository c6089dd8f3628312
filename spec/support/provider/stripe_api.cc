#include "spec/support/provider/stripe_api.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

namespace rocket::spec::provider {
namespace {

using Json = nlohmann::json;

constexpr const char* kDecliningSource = "tok_chargeCustomerFail";
// The customer of schema.sql whose card is declined.
constexpr const char* kDecliningCustomer = "cus_user_bad_source";

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Response said(int status, const Json& body) {
  return {status, {{"Content-Type", "application/json"}}, body.dump()};
}

Response refused(int status, Json error) { return said(status, {{"error", std::move(error)}}); }

Response missing(const std::string& param, const std::string& message) {
  return refused(400, {{"type", "invalid_request_error"},
                       {"code", "resource_missing"},
                       {"param", param},
                       {"message", message}});
}

// One page of the objects after `starting_after`.
Response page_of(const std::vector<Json>& all, const Request& request) {
  const std::string after = request.field("starting_after");
  const std::size_t limit = request.field("limit").empty() ? 10 : std::stoul(request.field("limit"));
  Json data = Json::array();
  bool begun = after.empty();
  bool more = false;
  for (const Json& each : all) {
    if (begun && data.size() == limit) more = true;
    if (begun && !more) data.push_back(each);
    begun = begun || each["id"] == after;
  }
  return said(200, {{"object", "list"}, {"has_more", more}, {"data", data}});
}

}  // namespace

Response StripeApi::begin(const Request& request) {
  if (request.header("authorization") != "Bearer " + api_key_) {
    return refused(401, {{"type", "invalid_request_error"}, {"message", "Invalid API Key provided"}});
  }
  const std::string key = request.header("idempotency-key");
  const std::string call = request.method + ' ' + request.path;
  Response response;
  if (call == "POST /v1/charges") {
    attempts_.push_back({{"charge_key", key}, {"ride_id", request.field("metadata[ride_id]")}});
  }
  if (call == "POST /v1/refunds") {
    refund_attempts_.push_back({{"refund_key", key}, {"charge", request.field("charge")}});
  }
  if (request.method == "POST" && !key.empty()) {
    const auto [found, is_new] = keys_.try_emplace(key);
    if (!is_new && found->second.fields != request.fields) {
      return refused(400, {{"type", "idempotency_error"}, {"message", "the key came with other parameters"}});
    }
    if (!is_new && found->second.in_use) {
      return refused(409, {{"type", "idempotency_error"}, {"code", "idempotency_key_in_use"}});
    }
    if (!is_new) {
      response = found->second.response;
      response.headers["Idempotent-Replayed"] = "true";
      return response;
    }
    found->second.fields = request.fields;
  }

  if (call == "POST /v1/charges") {
    response = create_charge(request);
  } else if (call == "GET /v1/charges") {
    response = list_charges(request);
  } else if (call == "POST /v1/refunds") {
    response = create_refund(request);
  } else if (call == "GET /v1/refunds") {
    response = list_refunds(request);
  } else if (call == "POST /v1/customers") {
    response = create_customer(request);
  } else if (call == "GET /v1/customers") {
    response = list_customers(request);
  } else {
    response = refused(404, {{"type", "invalid_request_error"}, {"message", "Unrecognized request URL"}});
  }
  response.headers["Request-Id"] = "req_" + std::to_string(++serial_);
  if (request.method == "POST" && !key.empty()) {
    response.headers["Idempotency-Key"] = key;
    keys_[key].response = response;
  }
  return response;
}

void StripeApi::done(const Request& request) {
  const auto found = keys_.find(request.header("idempotency-key"));
  if (found != keys_.end()) found->second.in_use = false;
}

void StripeApi::remember(const Request& request, const Response& response) {
  Key& key = keys_[request.header("idempotency-key")];
  key.fields = request.fields;
  key.response = response;
}

Response StripeApi::create_customer(const Request& request) {
  customers_.push_back({{"id", "cus_" + std::to_string(++serial_)},
                        {"object", "customer"},
                        {"email", request.field("email")},
                        {"default_source", request.field("source")}});
  return said(200, customers_.back());
}

Response StripeApi::list_customers(const Request& request) const {
  Json data = Json::array();
  for (const Json& each : customers_) {
    if (each["email"] == request.field("email")) data.push_back(each);
  }
  return said(200, {{"object", "list"}, {"has_more", false}, {"data", data}});
}

Response StripeApi::create_charge(const Request& request) {
  const std::string customer = request.field("customer");
  if (!customer.starts_with("cus_")) return missing("customer", "No such customer: '" + customer + "'");
  const std::string amount = request.field("amount");
  if (amount.empty() || amount.find_first_not_of("0123456789") != std::string::npos) {
    return missing("amount", "Invalid integer: " + amount);
  }
  bool declines = customer == kDecliningCustomer;
  for (const Json& each : customers_) {
    if (each["id"] == customer && each["default_source"] == kDecliningSource) declines = true;
  }
  const Json charge = make_charge(request.fields, declines ? "failed" : "succeeded");
  if (!declines) return said(200, charge);
  return refused(402, {{"type", "card_error"},
                       {"code", "card_declined"},
                       {"decline_code", "generic_decline"},
                       {"message", "Your card was declined."},
                       {"charge", charge["id"]}});
}

Json StripeApi::make_charge(const Fields& fields, const std::string& status) {
  const auto field = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  };
  Json charge{
      {"id", "ch_" + std::to_string(++serial_)},
      {"object", "charge"},
      {"amount", std::stoll(field("amount"))},
      {"currency", field("currency")},
      {"customer", field("customer")},
      {"created", now()},
      {"paid", status == "succeeded"},
      {"status", status},
      {"metadata", {{"ride_id", field("metadata[ride_id]")}, {"charge_key", field("metadata[charge_key]")}}}};
  if (status == "failed") charge["failure_message"] = "Your card was declined.";
  charges_.push_back(charge);
  return charge;
}

Json StripeApi::foreign_charge() {
  return {{"id", "ch_of_somebody_else"},
          {"object", "charge"},
          {"status", "succeeded"},
          {"metadata", Json::object()}};
}

Response StripeApi::list_charges(const Request& request) const {
  const std::string since = request.field("created[gte]");
  std::vector<Json> of_customer;
  std::copy_if(charges_.rbegin(), charges_.rend(), std::back_inserter(of_customer), [&](const Json& each) {
    return each["customer"] == request.field("customer") &&
           (since.empty() || each["created"].get<std::int64_t>() >= std::stoll(since));
  });
  return page_of(of_customer, request);
}

Response StripeApi::create_refund(const Request& request) {
  const std::string charge_id = request.field("charge");
  const auto charge = std::find_if(charges_.begin(), charges_.end(), [&](const Json& each) {
    return each["id"] == charge_id && each["status"] == "succeeded";
  });
  if (charge == charges_.end()) return missing("charge", "No such charge: '" + charge_id + "'");
  std::int64_t left = (*charge)["amount"].get<std::int64_t>();
  for (const Json& each : refunds_) {
    if (each["charge"] == charge_id) left -= each["amount"].get<std::int64_t>();
  }
  if (left == 0) {
    return refused(400, {{"type", "invalid_request_error"},
                         {"code", "charge_already_refunded"},
                         {"message", "Charge " + charge_id + " has already been refunded."}});
  }
  const std::int64_t amount = request.field("amount").empty() ? left : std::stoll(request.field("amount"));
  if (amount > left) return missing("amount", "Refund amount is greater than unrefunded amount on charge");
  refunds_.push_back({{"id", "re_" + std::to_string(++serial_)},
                      {"object", "refund"},
                      {"amount", amount},
                      {"charge", charge_id},
                      {"created", now()},
                      {"status", "succeeded"},
                      {"metadata",
                       {{"ride_id", request.field("metadata[ride_id]")},
                        {"refund_key", request.field("metadata[refund_key]")}}}});
  return said(200, refunds_.back());
}

Response StripeApi::list_refunds(const Request& request) const {
  std::vector<Json> of_charge;
  std::copy_if(refunds_.rbegin(), refunds_.rend(), std::back_inserter(of_charge),
               [&](const Json& each) { return each["charge"] == request.field("charge"); });
  return page_of(of_charge, request);
}

Json StripeApi::ledger() const {
  return {{"attempts", attempts_},
          {"charges", charges_},
          {"refund_attempts", refund_attempts_},
          {"refunds", refunds_}};
}

}  // namespace rocket::spec::provider
