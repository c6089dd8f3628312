#include "rocket/payments/stripe_gateway.h"

#include <curl/curl.h>

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

#include "rocket/base/backoff.h"
#include "rocket/base/host.h"
#include "rocket/base/settings.h"
#include "rocket/http/client.h"
#include "rocket/payments/stripe_answers.h"

namespace rocket::payments {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kApiVersion = "2024-06-20";
constexpr int kMaxTries = 3;
constexpr milliseconds kFirstWait{500};
// A try with less time than this makes no sense.
constexpr milliseconds kShortestTry{100};
// Stripe's clock may be behind the database's.
constexpr std::chrono::hours kClockMargin{1};
// Pages of 100 entries: charges by one customer since the ride was made, or refunds of one charge.
constexpr int kMaxPages = 100;

// Percent-encodes for forms and queries: all but the unreserved characters of RFC 3986.
std::string encoded(const std::string& text) {
  // libcurl takes the length 0 as unknown.
  if (text.empty()) return {};
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  if (!escaped) throw std::bad_alloc();
  return escaped.get();
}

std::string form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string result;
  for (const auto& [name, value] : fields) {
    if (!result.empty()) result += '&';
    result += encoded(name) + '=' + encoded(value);
  }
  return result;
}

std::string form_of(const ChargeRequest& request) {
  return form({{"amount", std::to_string(request.amount_cents)},
               {"currency", request.currency},
               {"customer", request.customer_id},
               {"description", "Rocket ride " + request.ride_id},
               {"metadata[ride_id]", request.ride_id},
               {"metadata[charge_key]", request.charge_key}});
}

std::string form_of(const RefundRequest& request) {
  return form({{"charge", request.charge_id},
               {"amount", std::to_string(request.amount_cents)},
               {"metadata[ride_id]", request.ride_id},
               {"metadata[refund_key]", request.refund_key}});
}

// The query for the customer's charges since request.not_before, less a margin.
std::string query_of(const ChargeRequest& request) {
  const auto since = (request.not_before - kClockMargin).time_since_epoch();
  return form(
      {{"customer", request.customer_id}, {"created[gte]", std::to_string(since.count())}, {"limit", "100"}});
}

// The API key travels with every call, so calls are unencrypted only to this machine.
std::optional<std::string> mistake_of_base(const std::string& base) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK) return "is not a URL";
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(url.get(), which, &text, 0) != CURLUE_OK) return std::string();
    const std::unique_ptr<char, decltype(&curl_free)> owned(text, &curl_free);
    return std::string(text);
  };
  if (!part(CURLUPART_QUERY).empty() || !part(CURLUPART_FRAGMENT).empty()) return "may not hold ? or #";
  if (!part(CURLUPART_USER).empty()) return "may not hold a user";
  const std::string scheme = part(CURLUPART_SCHEME);
  const std::string host = part(CURLUPART_HOST);
  if (scheme == "https") return std::nullopt;
  if (scheme == "http" && is_loopback(host)) return std::nullopt;
  return "must begin with https:// (http:// is for 127.0.0.1, [::1] and localhost)";
}

}  // namespace

void StripeOptions::add_to(Settings& settings) {
  settings.add_secret({"STRIPE_API_KEY"}, "secret key of the Stripe account", api_key);
  settings.add("stripe-api-key-file", {"STRIPE_API_KEY_FILE"}, "file that holds the key, instead",
               api_key_file);
  settings.add("stripe-api-base", {"STRIPE_API_BASE"}, "where Stripe's API is", api_base);
  settings.add("stripe-ca-file", {"STRIPE_CA_FILE"},
               "certificate authorities to trust instead of the system's", ca_file);
  settings.add("stripe-connect-timeout", {"STRIPE_CONNECT_TIMEOUT_MS"}, "time to connect", connect_timeout,
               milliseconds(1), milliseconds(60'000));
  settings.add("stripe-timeout", {"STRIPE_TIMEOUT_MS"}, "time for one try of a call", timeout,
               milliseconds(1), milliseconds(60'000));
  settings.add("stripe-total-timeout", {"STRIPE_TOTAL_TIMEOUT_MS"}, "time for all tries of a call",
               total_timeout, milliseconds(1), milliseconds(60'000));
}

std::optional<std::string> StripeOptions::mistake() {
  if (!api_key.empty() && !api_key_file.empty()) {
    return "STRIPE_API_KEY and STRIPE_API_KEY_FILE are both set; one is enough";
  }
  if (!api_key_file.empty()) {
    // To open a pipe would wait for its other end.
    if (!std::filesystem::is_regular_file(api_key_file)) return "STRIPE_API_KEY_FILE is not a file";
    std::ifstream file(api_key_file);
    if (!std::getline(file, api_key)) return "STRIPE_API_KEY_FILE cannot be read, or is empty";
  }
  if (api_key.empty()) return "STRIPE_API_KEY is not set, nor is STRIPE_API_KEY_FILE";
  const bool printable =
      std::all_of(api_key.begin(), api_key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!printable) return "the key for Stripe holds a character that no key has";
  if (auto wrong = mistake_of_base(api_base)) return "STRIPE_API_BASE " + *wrong;
  if (!ca_file.empty() && !std::ifstream(ca_file)) return "STRIPE_CA_FILE cannot be read";
  return std::nullopt;
}

StripeGateway::StripeGateway(StripeOptions options) : options_(std::move(options)) {
  while (options_.api_base.ends_with('/')) options_.api_base.pop_back();
}

asio::awaitable<ChargeResult> StripeGateway::charge(ChargeRequest request) {
  http::Call call = call_to("/v1/charges", request.ids);
  call.headers.push_back("Idempotency-Key: " + request.charge_key);
  call.body = form_of(request);
  const auto answer = co_await insist(std::move(call));
  if (const auto* none = std::get_if<NoAnswer>(&answer)) co_return *none;
  const auto& given = std::get<http::Answer>(answer);
  if (!stripe::is_stored_failure(given)) co_return stripe::charge_result(request, given);
  // The same key gets the same failure for as long as Stripe knows it, though the charge may have been made.
  // So look for the charge.
  const LookupResult found = co_await find(std::move(request));
  if (const auto* charged = std::get_if<Charged>(&found)) co_return *charged;
  if (const auto* none = std::get_if<NoAnswer>(&found)) co_return *none;
  co_return stripe::repeated_failure(given, "charge");
}

asio::awaitable<LookupResult> StripeGateway::find(ChargeRequest request) {
  const std::string first_page = "/v1/charges?" + query_of(request);
  std::string after;
  for (int number = 0; number < kMaxPages; ++number) {
    http::Call call = call_to(first_page + after, request.ids);
    const auto answer = co_await insist(std::move(call));
    if (const auto* none = std::get_if<NoAnswer>(&answer)) co_return *none;
    const stripe::Page page = stripe::page_of_charges(request, std::get<http::Answer>(answer));
    if (page.next.empty()) co_return page.result;
    after = "&starting_after=" + encoded(page.next);
  }
  co_return Unknown{"the customer has too many charges to look through"};
}

asio::awaitable<RefundResult> StripeGateway::refund(RefundRequest request) {
  http::Call call = call_to("/v1/refunds", request.ids);
  call.headers.push_back("Idempotency-Key: " + request.refund_key);
  call.body = form_of(request);
  const auto answer = co_await insist(std::move(call));
  if (const auto* none = std::get_if<NoAnswer>(&answer)) co_return *none;
  const auto& given = std::get<http::Answer>(answer);
  if (stripe::is_stored_failure(given)) {
    // The same as with charges.
    const RefundLookupResult ours = co_await find_refund(std::move(request));
    if (const auto* refunded = std::get_if<Refunded>(&ours)) co_return *refunded;
    if (const auto* none = std::get_if<NoAnswer>(&ours)) co_return *none;
    co_return stripe::repeated_failure(given, "refund");
  }
  if (auto result = stripe::refund_result(request, given)) co_return *result;
  // The charge was refunded before: by us, if Stripe has forgotten the key since, or by a person.
  const auto found = co_await look_for_refunds(std::move(request));
  if (const auto* none = std::get_if<NoAnswer>(&found)) co_return *none;
  const auto* refunds = std::get_if<stripe::RefundsFound>(&found);
  std::string id;
  if (refunds != nullptr) id = refunds->ours.empty() ? refunds->other : refunds->ours;
  if (id.empty()) co_return NoAnswer{"the charge is refunded already, by a refund that is not to be found"};
  co_return Refunded{id};
}

asio::awaitable<RefundLookupResult> StripeGateway::find_refund(RefundRequest request) {
  const auto found = co_await look_for_refunds(std::move(request));
  if (const auto* none = std::get_if<NoAnswer>(&found)) co_return *none;
  if (const auto* unknown = std::get_if<Unknown>(&found)) co_return *unknown;
  const auto& refunds = std::get<stripe::RefundsFound>(found);
  // If a person has refunded the whole charge, Stripe says so when we ask for another refund.
  if (refunds.ours.empty()) co_return NeverRefunded{};
  co_return Refunded{refunds.ours};
}

asio::awaitable<std::variant<std::string, NoAnswer>> StripeGateway::customer(std::string email) {
  http::Call look = call_to("/v1/customers?limit=1&email=" + encoded(email), nullptr);
  const auto found = co_await insist(std::move(look));
  if (const auto* none = std::get_if<NoAnswer>(&found)) co_return *none;
  auto known = stripe::first_customer(std::get<http::Answer>(found));
  const auto* id = std::get_if<std::string>(&known);
  if (id == nullptr || !id->empty()) co_return known;

  http::Call call = call_to("/v1/customers", nullptr);
  call.headers.push_back("Idempotency-Key: rocket-rides-customer-" + email);
  call.body = "email=" + encoded(email);
  const auto made = co_await insist(std::move(call));
  if (const auto* none = std::get_if<NoAnswer>(&made)) co_return *none;
  co_return stripe::made_customer(std::get<http::Answer>(made));
}

asio::awaitable<std::variant<stripe::RefundsFound, Unknown, NoAnswer>> StripeGateway::look_for_refunds(
    RefundRequest request) const {
  const std::string first_page = "/v1/refunds?" + form({{"charge", request.charge_id}, {"limit", "100"}});
  stripe::RefundsFound found;
  for (int number = 0; number < kMaxPages; ++number) {
    const std::string after = found.next.empty() ? "" : "&starting_after=" + encoded(found.next);
    http::Call call = call_to(first_page + after, request.ids);
    const auto answer = co_await insist(std::move(call));
    if (const auto* none = std::get_if<NoAnswer>(&answer)) co_return *none;
    auto page = stripe::page_of_refunds(request, std::get<http::Answer>(answer), std::move(found));
    if (const auto* none = std::get_if<NoAnswer>(&page)) co_return *none;
    found = std::get<stripe::RefundsFound>(std::move(page));
    if (found.next.empty()) co_return found;
  }
  co_return Unknown{"the charge has too many refunds to look through"};
}

http::Call StripeGateway::call_to(const std::string& path, const SharedRequestIds& ids) const {
  http::Call call;
  call.url = options_.api_base + path;
  call.headers = {"Authorization: Bearer " + options_.api_key, std::string("Stripe-Version: ") + kApiVersion,
                  // Without this, libcurl would wait for a 100 before it sends a large body.
                  "Expect:"};
  const std::string& traceparent = ids_or_none(ids).traceparent;
  if (!traceparent.empty()) call.headers.push_back("traceparent: " + traceparent);
  call.connect_timeout = options_.connect_timeout;
  call.ca_file = options_.ca_file;
  return call;
}

// Sends the call, a few times if need be. Returns the first answer that asks for no other try, else what the
// last try gave.
asio::awaitable<std::variant<http::Answer, NoAnswer>> StripeGateway::insist(http::Call call) const {
  const auto end = Clock::now() + options_.total_timeout;
  Backoff backoff(kFirstWait, options_.total_timeout);
  for (int tries = 1;; ++tries) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    call.timeout = std::min(options_.timeout, std::max(left, kShortestTry));
    std::variant<http::Answer, http::Silence> result = co_await http::send(call);
    auto* answer = std::get_if<http::Answer>(&result);
    if (answer != nullptr && !stripe::should_retry(*answer)) co_return std::move(*answer);

    milliseconds pause = backoff.next();
    if (answer != nullptr) pause = std::max<milliseconds>(pause, stripe::retry_after(*answer));
    if (tries == kMaxTries || Clock::now() + pause + kShortestTry > end) {
      if (answer != nullptr) co_return std::move(*answer);
      co_return NoAnswer{"no answer from the payment provider: " + std::get<http::Silence>(result).reason};
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace rocket::payments
