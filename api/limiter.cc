#include "api/limiter.h"

#include <utility>

#include "api/admission.h"
#include "api/client_address.h"

namespace rocket::api {

std::optional<HttpResponse> Limiter::begin(const Route& route, RequestContext& context,
                                           RateLimits::Charge& charge) {
  const bool tries_credentials = context.credentials && is_address(context.caller);
  if (const auto excess = limits_.enter(context.caller, tries_credentials)) {
    return refusals_.render(*excess, context.as_problem);
  }
  if (!route.makes_keys) return std::nullopt;
  std::optional<RateLimits::Excess> excess;
  if (route.is_charge) {
    // Until the user is known, the credentials stand for the user, from whatever addresses they come.
    const bool is_stranger = is_address(context.caller) && context.credentials;
    excess = limits_.begin_charge(is_stranger ? *context.credentials : context.caller, charge);
  }
  // Going on makes no new key. But it may make a charge.
  const bool may_go_on = !excess;
  if (!excess) excess = limits_.find_excess_of_keys(context.caller);
  if (!excess) return std::nullopt;
  HttpResponse refusal = refusals_.render(*excess, context.as_problem);
  // Nothing can be stored for a request without a key.
  if (!context.request.header("idempotency-key")) return refusal;
  if (!context.restriction) context.restriction = {std::move(refusal), may_go_on};
  return std::nullopt;
}

void Limiter::end(const RequestContext& context, const HttpResponse& response) {
  limits_.count(context.caller, response.usage);
  // What cannot belong to a user is no guess, and never gets to the database.
  if (response.status == 401 && context.credentials) {
    limits_.count_failed_credentials(address_holder(network_of(context.request.origin_ip)));
  }
}

void Limiter::identified(const RequestContext& context, const std::string& user, const Usage& usage) {
  if (is_address(context.caller)) limits_.count(user, usage);
}

}  // namespace rocket::api
