#include "rocket/payments/stripe_answers.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace rocket::payments::stripe {
namespace {

using Json = nlohmann::json;

constexpr const char* kToAnotherRequest = "the answer was to another request";

// A text member of an object; empty when there is none.
std::string text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A member that is an object; an empty one when there is none.
Json part(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

// The body as a JSON object; an empty object if it is none.
Json body_of(const http::Answer& answer) {
  Json body = Json::parse(answer.body, nullptr, false);
  return body.is_object() ? body : Json::object();
}

// The reason is for logs and last_error: it says what to look up at Stripe. It never holds Stripe's message,
// which may quote what was sent.
NoAnswer no_answer(const http::Answer& answer) {
  const Json error = part(body_of(answer), "error");
  std::string reason = "the payment provider answered " + std::to_string(answer.status);
  for (const char* name : {"type", "code"}) {
    const std::string word = text(error, name);
    if (!word.empty()) reason += ' ' + word.substr(0, 100);
  }
  if (const auto id = answer.header("request-id")) reason += ", request " + id->substr(0, 100);
  return {reason, answer.status == 409 && text(error, "type") == "idempotency_error"};
}

bool is_charge(const Json& object) {
  return text(object, "object") == "charge" && !text(object, "id").empty();
}

bool is_for(const Json& charge, const ChargeRequest& request) {
  return text(part(charge, "metadata"), "charge_key") == request.charge_key;
}

constexpr const char* kDeclined = "Your card was declined.";

// The reasons that a customer can do something about, https://docs.stripe.com/declines/codes. Any other
// decline, such as that of a stolen card, looks like a generic one.
constexpr std::array<std::string_view, 18> kToldReasons{
    "authentication_required", "card_not_supported", "card_velocity_exceeded",
    "currency_not_supported",  "expired_card",       "incorrect_address",
    "incorrect_cvc",           "incorrect_number",   "incorrect_zip",
    "insufficient_funds",      "invalid_cvc",        "invalid_expiry_month",
    "invalid_expiry_year",     "invalid_number",     "issuer_not_available",
    "processing_error",        "try_again_later",    "withdrawal_count_limit_exceeded"};

// A message can be of any length.
std::string cut(const std::string& text) { return text.substr(0, 200); }

Declined declined(const std::string& message, const std::string& decline_code) {
  const bool is_told =
      std::find(kToldReasons.begin(), kToldReasons.end(), decline_code) != kToldReasons.end();
  std::string detail = cut(decline_code.empty() ? message : decline_code + ": " + message);
  if (is_told && !message.empty()) return {cut(message), decline_code, std::move(detail)};
  return {kDeclined, is_told ? decline_code : "generic_decline", std::move(detail)};
}

// What became of a charge that exists; nullopt while that is open.
std::optional<ChargeResult> outcome_of(const Json& charge) {
  const std::string status = text(charge, "status");
  if (status == "succeeded") return Charged{text(charge, "id")};
  if (status == "failed") {
    const std::string reason = text(part(charge, "outcome"), "reason");
    return declined(text(charge, "failure_message"), reason.empty() ? text(charge, "failure_code") : reason);
  }
  return std::nullopt;
}

// An answer can belong to another request, if it comes from a cache or on a connection that got out of step.
// Stripe returns the idempotency key that it saw.
bool is_to_another_request(const std::string& our_key, const http::Answer& answer) {
  const auto key = answer.header("idempotency-key");
  return key && *key != our_key;
}

// True if the error is about this request and will not change. That is not so when the credentials are wrong
// (401, 403), when the key is in use or the rate is limited (409, 429), or when the key has been used with
// other parameters. In the last case, money may have moved.
bool is_refused_for_good(const http::Answer& answer, const Json& error) {
  const bool final = answer.status == 400 || answer.status == 402 || answer.status == 404;
  return final && text(error, "type") == "invalid_request_error";
}

bool is_refund(const Json& object) {
  return text(object, "object") == "refund" && !text(object, "id").empty();
}

bool is_for(const Json& refund, const RefundRequest& request) {
  return text(part(refund, "metadata"), "refund_key") == request.refund_key;
}

// What became of a refund that exists; nullopt while that is open. A pending refund counts as made.
std::optional<RefundResult> outcome_of_refund(const Json& refund) {
  const std::string status = text(refund, "status");
  if (status == "succeeded" || status == "pending") return Refunded{text(refund, "id")};
  if (status == "failed" || status == "canceled") return Rejected{"the refund has " + status};
  return std::nullopt;
}

// The members of a list, and whether more follow. list_in() returns nullopt if the answer is no list.
struct List {
  std::vector<Json> data;
  bool has_more = false;
};
std::optional<List> list_in(const http::Answer& answer) {
  const Json body = body_of(answer);
  const auto data = body.find("data");
  const auto has_more = body.find("has_more");
  if (text(body, "object") != "list" || data == body.end() || !data->is_array() || has_more == body.end() ||
      !has_more->is_boolean()) {
    return std::nullopt;
  }
  return List{{data->begin(), data->end()}, has_more->get<bool>()};
}

}  // namespace

ChargeResult charge_result(const ChargeRequest& request, const http::Answer& answer) {
  if (is_to_another_request(request.charge_key, answer)) return NoAnswer{kToAnotherRequest};
  const Json body = body_of(answer);
  if (answer.status == 200) {
    if (!is_charge(body)) return NoAnswer{"the payment provider's answer is not a charge"};
    if (!is_for(body, request)) return NoAnswer{"the payment provider answered with another charge"};
    if (auto outcome = outcome_of(body)) return std::move(*outcome);
    return NoAnswer{"the charge is neither made nor refused yet"};
  }

  const Json error = part(body, "error");
  if (answer.status == 402 && text(error, "type") == "card_error") {
    // Mistakes in the data of a card have only a code (https://docs.stripe.com/error-codes).
    const std::string decline_code = text(error, "decline_code");
    return declined(text(error, "message"), decline_code.empty() ? text(error, "code") : decline_code);
  }
  if (is_refused_for_good(answer, error)) return Rejected{no_answer(answer).reason};
  return no_answer(answer);
}

Page page_of_charges(const ChargeRequest& request, const http::Answer& answer) {
  if (answer.status != 200) return {no_answer(answer), ""};
  const std::optional<List> list = list_in(answer);
  if (!list) return {NoAnswer{"the payment provider's answer is not a list of charges"}, ""};
  std::string last;
  for (const Json& charge : list->data) {
    if (!charge.is_object() || !is_charge(charge)) {
      return {NoAnswer{"the payment provider's list holds something else than charges"}, ""};
    }
    last = text(charge, "id");
    if (!is_for(charge, request)) continue;
    const auto outcome = outcome_of(charge);
    if (!outcome) return {NoAnswer{"the charge is neither made nor refused yet"}, ""};
    if (const auto* charged = std::get_if<Charged>(&*outcome)) return {*charged, ""};
  }
  return {NeverCharged{}, list->has_more ? last : ""};
}

std::optional<RefundResult> refund_result(const RefundRequest& request, const http::Answer& answer) {
  if (is_to_another_request(request.refund_key, answer)) return NoAnswer{kToAnotherRequest};
  const Json body = body_of(answer);
  if (answer.status == 200) {
    if (!is_refund(body)) return NoAnswer{"the payment provider's answer is not a refund"};
    if (!is_for(body, request)) return NoAnswer{"the payment provider answered with another refund"};
    if (auto outcome = outcome_of_refund(body)) return outcome;
    return NoAnswer{"the refund is neither made nor refused yet"};
  }
  const Json error = part(body, "error");
  if (!is_refused_for_good(answer, error)) return no_answer(answer);
  if (text(error, "code") == "charge_already_refunded") return std::nullopt;
  return Rejected{no_answer(answer).reason};
}

std::variant<RefundsFound, NoAnswer> page_of_refunds(const RefundRequest& request, const http::Answer& answer,
                                                     RefundsFound found) {
  if (answer.status != 200) return no_answer(answer);
  const std::optional<List> list = list_in(answer);
  if (!list) return NoAnswer{"the payment provider's answer is not a list of refunds"};
  std::string last;
  for (const Json& refund : list->data) {
    if (!refund.is_object() || !is_refund(refund) || text(refund, "charge") != request.charge_id) {
      return NoAnswer{"the payment provider's list holds something else than refunds of the charge"};
    }
    last = text(refund, "id");
    const auto outcome = outcome_of_refund(refund);
    const bool ours = is_for(refund, request);
    if (!outcome && ours) return NoAnswer{"the refund is neither made nor refused yet"};
    if (!outcome || !std::holds_alternative<Refunded>(*outcome)) continue;
    std::string& place = ours ? found.ours : found.other;
    if (place.empty()) place = last;
  }
  found.next = list->has_more ? last : "";
  return found;
}

std::variant<std::string, NoAnswer> first_customer(const http::Answer& answer) {
  const std::optional<List> list = list_in(answer);
  if (answer.status != 200 || !list) return no_answer(answer);
  return list->data.empty() ? std::string() : text(list->data.front(), "id");
}

std::variant<std::string, NoAnswer> made_customer(const http::Answer& answer) {
  const Json customer = body_of(answer);
  const std::string id = text(customer, "id");
  if (answer.status != 200 || text(customer, "object") != "customer" || id.empty()) return no_answer(answer);
  return id;
}

bool is_stored_failure(const http::Answer& answer) {
  return answer.status >= 500 && answer.header("idempotent-replayed") == "true";
}

NoAnswer repeated_failure(const http::Answer& answer, const std::string& thing) {
  return {no_answer(answer).reason + ", as before for this key, and lists no such " + thing, true};
}

bool should_retry(const http::Answer& answer) {
  if (is_stored_failure(answer)) return false;
  const auto advice = answer.header("stripe-should-retry");
  if (advice == "true") return true;
  if (advice == "false") return false;
  return answer.status == 409 || answer.status == 429 || answer.status >= 500;
}

std::chrono::seconds retry_after(const http::Answer& answer) {
  constexpr std::chrono::seconds kNone{0};
  const auto field = answer.header("retry-after");
  if (!field) return kNone;
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), seconds);
  if (end == field->data() + field->size()) {
    return error == std::errc() ? std::chrono::seconds(seconds) : kNone;
  }
  const std::time_t then = curl_getdate(field->c_str(), nullptr);
  if (then < 0) return kNone;
  // This is the clock of the server, so that it does not matter how ours is set.
  std::time_t now = curl_getdate(answer.header("date").value_or("").c_str(), nullptr);
  if (now < 0) now = std::time(nullptr);
  return std::max(kNone, std::chrono::seconds(then - now));
}

}  // namespace rocket::payments::stripe
