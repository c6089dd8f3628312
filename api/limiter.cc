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
  if (route.makes_keys && !tries_credentials) restrict_keys(route, context, charge);
  return std::nullopt;
}

void Limiter::begin_of_stranger(const Route& route, RequestContext& context, const std::string& user,
                                RateLimits::Charge& charge) {
  context.caller = user;
  if (route.makes_keys) restrict_keys(route, context, charge);
}

void Limiter::begin_again(const Route& route, RequestContext& context, RateLimits::Charge& charge) {
  // Once it is known whose the credentials are, begin_of_stranger() does it.
  const bool is_stranger = context.credentials && is_address(context.caller);
  if (route.makes_keys && !is_stranger) restrict_keys(route, context, charge);
}

// The request may still get an answer that is stored, so the database has to be asked. It also knows best
// whether the credentials are valid.
void Limiter::restrict_keys(const Route& route, RequestContext& context, RateLimits::Charge& charge) {
  std::optional<RateLimits::Excess> excess;
  if (route.is_charge) excess = limits_.begin_charge(context.caller, charge);
  // Going on makes no new key. But it may make a charge.
  const bool may_go_on = !excess;
  if (!excess) excess = limits_.find_excess_of_keys(context.caller);
  if (!excess || context.restriction) return;
  context.restriction = {refusals_.render(*excess, context.as_problem), may_go_on};
}

void Limiter::end(const RequestContext& context, const HttpResponse& response) {
  limits_.count(context.caller, response.usage);
  // What cannot belong to a user is no guess, and never gets to the database.
  if (response.status == 401 && context.credentials) {
    limits_.count_failed_credentials(address_holder(network_of(context.request.origin_ip)));
  }
}

}  // namespace rocket::api
