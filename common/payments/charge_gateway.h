#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace rocket::payments {

struct ChargeRequest {
  // The provider's idempotency key: one key, at most one charge, however often it is sent.
  std::string charge_key;
  std::string customer_id;
  std::int64_t amount_cents = 0;
  // ISO 4217, lower case.
  std::string currency;
  // Kept by the provider beside the charge, so that it can be looked up when its key is forgotten.
  std::string ride_id;
  // No attempt was made before, by the database's clock.
  std::chrono::sys_seconds not_before{};
};

// The money moved.
struct Charged {
  std::string charge_id;
};
// The card was declined, for good.
struct Declined {
  // For the customer to read.
  std::string reason;
  // The bank's reason in the provider's terms; may be empty.
  std::string decline_code{};
};
// The provider refused for good, for another reason than the card: nothing moved.
struct Rejected {
  std::string reason;
};
// The charge or refund may or may not exist: time-out, refused connection, 409, 429, 5xx. Repeat with the
// same key.
struct NoAnswer {
  std::string reason;
  // The provider is well: another call with the same key is under way.
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
  // The provider's idempotency key: one key, at most one refund, however often it is sent.
  std::string refund_key;
  std::string charge_id;
  // All of it.
  std::int64_t amount_cents = 0;
  // Kept by the provider beside the refund.
  std::string ride_id;
};

// The money went back, or is on its way; now, or earlier by other hands.
struct Refunded {
  std::string refund_id;
};
using RefundResult = std::variant<Refunded, Rejected, NoAnswer>;

// There is certainly no refund with this key.
struct NeverRefunded {};
using RefundLookupResult = std::variant<Refunded, NeverRefunded, Unknown, NoAnswer>;

// The one seam to the payment provider. Implementations may be called from several threads at once, finish
// on the caller's executor, and take well below the lease for one call, repeats included.
class ChargeGateway {
 public:
  virtual ~ChargeGateway() = default;

  // Safe to repeat with the same request while the provider remembers the key (Stripe: at least 24 hours,
  // https://docs.stripe.com/api/idempotent_requests). Expected failures are values.
  virtual asio::awaitable<ChargeResult> charge(ChargeRequest request) = 0;

  // What became of an earlier charge whose key the provider may have forgotten. Changes nothing.
  virtual asio::awaitable<LookupResult> find(ChargeRequest request) = 0;

  // As charge(): safe to repeat while the provider remembers the key. A charge that has been refunded already
  // is as good as one that was refunded by this call.
  virtual asio::awaitable<RefundResult> refund(RefundRequest request) = 0;

  // What became of an earlier refund whose key the provider may have forgotten. Changes nothing.
  virtual asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) = 0;
};

}  // namespace rocket::payments
