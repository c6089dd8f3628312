#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "http/messages.h"
#include "payments/charge_gateway.h"

// What Stripe's answers mean, by https://docs.stripe.com/api/errors and
// https://docs.stripe.com/error-low-level. An answer of an unknown shape, such as a proxy's, is never
// definite.
namespace rocket::payments::stripe {

// Of POST /v1/charges.
ChargeResult charge_result(const ChargeRequest& request, const http::Answer& answer);

// A page of GET /v1/charges: the charge, if it is on this page; NeverCharged when it is on none up to this
// one, and then `next` says after which charge the next page begins, if there is one.
struct Page {
  LookupResult result;
  std::string next;
};
Page page_of_charges(const ChargeRequest& request, const http::Answer& answer);

// Of POST /v1/refunds. Nothing: the charge was refunded before, and the refund has to be looked up.
std::optional<RefundResult> refund_result(const RefundRequest& request, const http::Answer& answer);

// A page of GET /v1/refunds?charge=…: what was found so far, which is what `found` was and what this page
// adds to it.
struct RefundsFound {
  // Ids: of the refund with our key, and of the latest with another key; empty when there is none.
  std::string ours;
  std::string other;
  // After which refund the next page begins, if there is one.
  std::string next;
};
std::variant<RefundsFound, NoAnswer> page_of_refunds(const RefundRequest& request, const http::Answer& answer,
                                                     RefundsFound found);

// Whether Stripe has stored this failure on the idempotency key: sent again, the call gets it again, for as
// long as Stripe remembers the key. What the call was for may have happened or not.
bool is_stored_failure(const http::Answer& answer);
// What such a failure means once `thing`, "charge" or "refund", was looked for and not found. It may still
// appear, so nothing may be sent with another key.
NoAnswer repeated_failure(const http::Answer& answer, const std::string& thing);

// Whether the same call may get a better answer soon.
bool should_retry(const http::Answer& answer);
// How long Stripe asks to wait before, in seconds or as a date (RFC 9110, 10.2.3), which counts from the
// answer's own Date if it has one; 0 when it does not ask, or asks for the past.
std::chrono::seconds retry_after(const http::Answer& answer);

}  // namespace rocket::payments::stripe
