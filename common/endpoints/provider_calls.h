#pragma once

#include <asio/awaitable.hpp>

#include "rocket/idempotency/flow.h"
#include "rocket/payments/charge_gateway.h"

// The calls of the payment provider, as foreign phases make them. While the provider is certain to remember
// the key of a call, the call is repeated. After that it is looked up first, because to send it again might
// move money again.
namespace rocket::endpoints {

// `key_is_old`: the provider may have forgotten the key. Records the id of the charge; ends with
// card_declined or payment_rejected. `gateway` must outlive the call.
asio::awaitable<idempotency::ForeignOutcome> charge(payments::ChargeGateway& gateway,
                                                    payments::ChargeRequest request, bool key_is_old);

// Likewise. Records the id of the refund; ends with payment_rejected.
asio::awaitable<idempotency::ForeignOutcome> refund(payments::ChargeGateway& gateway,
                                                    payments::RefundRequest request, bool key_is_old);

}  // namespace rocket::endpoints
