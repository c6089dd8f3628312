#include "rocket/endpoints/provider_calls.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "rocket/endpoints/failures.h"

namespace rocket::endpoints {
namespace {

using idempotency::ForeignOutcome;
using idempotency::Recorded;

// What both kinds of look-ups may say. Returns nullopt if the call was certainly never answered.
template <typename Found>
std::optional<ForeignOutcome> no_id_in(const Found& found, const std::string& what) {
  if (const auto* none = std::get_if<payments::NoAnswer>(&found))
    return idempotency::Unanswered{none->reason};
  if (const auto* unknown = std::get_if<payments::Unknown>(&found)) {
    return idempotency::NeedsPerson{"the " + what +
                                    " is too old to repeat, and cannot be looked up: " + unknown->reason};
  }
  return std::nullopt;
}

}  // namespace

asio::awaitable<ForeignOutcome> charge(payments::ChargeGateway& gateway, payments::ChargeRequest request,
                                       bool key_is_old) {
  if (key_is_old) {
    const payments::LookupResult found = co_await gateway.find(request);
    if (const auto* charged = std::get_if<payments::Charged>(&found)) co_return Recorded{charged->charge_id};
    if (auto outcome = no_id_in(found, "charge")) co_return std::move(*outcome);
  }
  const payments::ChargeResult result = co_await gateway.charge(std::move(request));
  if (const auto* charged = std::get_if<payments::Charged>(&result)) co_return Recorded{charged->charge_id};
  if (const auto* declined = std::get_if<payments::Declined>(&result)) {
    co_return ended("card_declined", declined->detail, declined->reason, declined->decline_code);
  }
  if (const auto* rejected = std::get_if<payments::Rejected>(&result)) {
    co_return ended("payment_rejected", rejected->reason);
  }
  co_return idempotency::Unanswered{std::get<payments::NoAnswer>(result).reason};
}

asio::awaitable<ForeignOutcome> refund(payments::ChargeGateway& gateway, payments::RefundRequest request,
                                       bool key_is_old) {
  if (key_is_old) {
    const payments::RefundLookupResult found = co_await gateway.find_refund(request);
    if (const auto* refunded = std::get_if<payments::Refunded>(&found))
      co_return Recorded{refunded->refund_id};
    if (auto outcome = no_id_in(found, "refund")) co_return std::move(*outcome);
  }
  const payments::RefundResult result = co_await gateway.refund(std::move(request));
  if (const auto* refunded = std::get_if<payments::Refunded>(&result))
    co_return Recorded{refunded->refund_id};
  if (const auto* rejected = std::get_if<payments::Rejected>(&result)) {
    co_return ended("payment_rejected", rejected->reason);
  }
  co_return idempotency::Unanswered{std::get<payments::NoAnswer>(result).reason};
}

}  // namespace rocket::endpoints
