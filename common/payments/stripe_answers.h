#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "rocket/http/messages.h"
#include "rocket/payments/charge_gateway.h"

// What Stripe's answers mean, by https://docs.stripe.com/api/errors and
// https://docs.stripe.com/error-low-level. An answer of an unknown shape, such as a proxy's, never counts as
// definite.
namespace rocket::payments::stripe {

// The result of POST /v1/charges.
ChargeResult charge_result(const ChargeRequest& request, const http::Answer& answer);

// A page of GET /v1/charges. `result` is the charge if it is on this page, else NeverCharged. `next` is the
// charge after which the next page begins; empty if there is no need for another page.
struct Page {
  LookupResult result;
  std::string next;
};
Page page_of_charges(const ChargeRequest& request, const http::Answer& answer);

// The result of POST /v1/refunds. Returns nullopt if the charge was refunded before: then the refund has to
// be looked up.
std::optional<RefundResult> refund_result(const RefundRequest& request, const http::Answer& answer);

// What the pages of GET /v1/refunds?charge=… have shown so far. page_of_refunds() adds a page to `found`.
struct RefundsFound {
  // The ids of the refund with our key and of the latest refund with another key; empty if there is none.
  std::string ours;
  std::string other;
  // The refund after which the next page begins; empty if there is none.
  std::string next;
};
std::variant<RefundsFound, NoAnswer> page_of_refunds(const RefundRequest& request, const http::Answer& answer,
                                                     RefundsFound found);

// The id of the first customer that GET /v1/customers shows; empty if it shows none.
std::variant<std::string, NoAnswer> first_customer(const http::Answer& answer);
// The id of the customer that POST /v1/customers made.
std::variant<std::string, NoAnswer> made_customer(const http::Answer& answer);

// True if Stripe has stored this failure on the idempotency key. Then the same call gets the same failure for
// as long as Stripe remembers the key. The charge or refund may have been made or not.
bool is_stored_failure(const http::Answer& answer);
// What a stored failure means once `thing`, "charge" or "refund", was looked for and not found. It may still
// appear, so nothing may be sent with another key.
NoAnswer repeated_failure(const http::Answer& answer, const std::string& thing);

// True if the same call may get a better answer soon.
bool should_retry(const http::Answer& answer);
// How long Stripe asks to wait before the next try: in seconds, or until a date (RFC 9110, 10.2.3). A date
// counts from the answer's own Date if it has one. 0 if Stripe does not ask, or if the date is in the past.
std::chrono::seconds retry_after(const http::Answer& answer);

}  // namespace rocket::payments::stripe
