#include "api/limit_refusals.h"

#include <chrono>
#include <string_view>

#include "api/failure.h"

namespace rocket::api {
namespace {

struct Words {
  Limit limit;
  std::string_view name;
  std::string_view code;
};

constexpr std::array<Words, kLimits> kWords{{
    {Limit::kRequests, "requests", "rate_limited"},
    {Limit::kFailedCredentials, "failed-credentials", "too_many_failed_credentials"},
    {Limit::kDeclines, "declines", "too_many_declines"},
    {Limit::kUnfinishedKeys, "unfinished-keys", "too_many_unfinished_keys"},
    {Limit::kKeys, "keys", "too_many_keys"},
}};

// How many fit, and in how many seconds an unused quota comes back as a whole.
std::string policy_of(const Words& words, const TokenRate& rate) {
  const auto window = std::chrono::ceil<std::chrono::seconds>(rate.to_fill());
  return '"' + std::string(words.name) + "\";q=" + std::to_string(rate.capacity) +
         ";w=" + std::to_string(window.count());
}

}  // namespace

LimitRefusals::LimitRefusals(const RateLimits& limits)
    : too_many_requests_{render_both(failure("too_many_requests"))} {
  for (const Words& words : kWords) {
    Failure refusal = failure(words.code);
    refusal.headers.emplace_back("RateLimit-Policy", policy_of(words, limits.rate(words.limit)));
    prepared_[static_cast<std::size_t>(words.limit)] = {std::string(words.name), render_both(refusal)};
  }
}

HttpResponse LimitRefusals::render(const RateLimits::Excess& excess, bool as_problem) const {
  const std::size_t form = as_problem ? 1 : 0;
  if (!excess.limit) return too_many_requests_[form];
  const Prepared& prepared = prepared_[static_cast<std::size_t>(*excess.limit)];
  HttpResponse response = prepared.answers[form];
  const std::string wait = std::to_string(excess.retry_after.count());
  response.headers.emplace_back("RateLimit", '"' + prepared.name + "\";r=0;t=" + wait);
  response.headers.emplace_back("Retry-After", wait);
  return response;
}

}  // namespace rocket::api
