#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "rocket/base/request_ids.h"

namespace rocket::payments {

struct ChargeRequest {
  // The provider's idempotency key. One key makes at most one charge, however often it is sent.
  std::string charge_key;
  std::string customer_id;
  std::int64_t amount_cents = 0;
  // ISO 4217, lower case.
  std::string currency;
  // The provider keeps it with the charge, so that the charge can be found after its key is forgotten.
  std::string ride_id;
  // The time before which no attempt was made, by the database's clock.
  std::chrono::sys_seconds not_before{};
  // The ids of the request that the call is made for. May be null.
  SharedRequestIds ids{};
};

// The money moved.
struct Charged {
  std::string charge_id;
};
// The card was declined, for good.
struct Declined {
  // For the customer to read.
  std::string reason;
  // The bank's reason in the provider's terms; may be empty. It may be shown to the customer.
  std::string decline_code{};
  // What the provider really said, for the log and for operators. A thief must not learn that a card is known
  // to be stolen.
  std::string detail{};
};
// The provider refused for good, and not because of the card. No money moved.
struct Rejected {
  std::string reason;
};
// The charge or refund may or may not exist: time-out, refused connection, 409, 429, 5xx. Repeat with the
// same key.
struct NoAnswer {
  std::string reason;
  // The provider works. Only this key gets no answer now, for example because another call with it is under
  // way.
  bool busy = false;
};
using ChargeResult = std::variant<Charged, Declined, Rejected, NoAnswer>;

// There is certainly no charge with this key.
struct NeverCharged {};
// The provider cannot say, now or later.
struct Unknown {
  std::string reason;
};
using LookupResult = std::variant<Charged, NeverCharged, Unknown, NoAnswer>;

// All of a charge's money goes back.
struct RefundRequest {
  // The provider's idempotency key. One key makes at most one refund, however often it is sent.
  std::string refund_key;
  std::string charge_id;
  // The whole amount of the charge.
  std::int64_t amount_cents = 0;
  // The provider keeps it with the refund.
  std::string ride_id;
  // The ids of the request that the call is made for. May be null.
  SharedRequestIds ids{};
};

// The money went back or is on its way. This call did it, or an earlier refund, perhaps by a person.
struct Refunded {
  std::string refund_id;
};
using RefundResult = std::variant<Refunded, Rejected, NoAnswer>;

// There is certainly no refund with this key.
struct NeverRefunded {};
using RefundLookupResult = std::variant<Refunded, NeverRefunded, Unknown, NoAnswer>;

// The only interface to the payment provider. Implementations may be called from several threads at once.
// They finish on the caller's executor, and one call, repeats included, takes far less time than a lease
// lasts.
class ChargeGateway {
 public:
  virtual ~ChargeGateway() = default;

  // Safe to repeat with the same request while the provider remembers the key (Stripe: at least 24 hours,
  // https://docs.stripe.com/api/idempotent_requests). Expected failures are return values, not exceptions.
  virtual asio::awaitable<ChargeResult> charge(ChargeRequest request) = 0;

  // Finds out what became of an earlier charge whose key the provider may have forgotten. Changes nothing.
  virtual asio::awaitable<LookupResult> find(ChargeRequest request) = 0;

  // As charge(): safe to repeat while the provider remembers the key. If the charge has been refunded
  // already, that counts as the refund of this call.
  virtual asio::awaitable<RefundResult> refund(RefundRequest request) = 0;

  // Finds out what became of an earlier refund whose key the provider may have forgotten. Changes nothing.
  virtual asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) = 0;
};

}  // namespace rocket::payments
