#include "api/cors.h"

#include <algorithm>

#include "api/http_text.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

// The fields that a page may read in addition to Content-Type and others that are always readable.
constexpr const char* kExposed =
    "Allow, Date, Idempotent-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, "
    "Retry-After, WWW-Authenticate, X-Request-Id";
constexpr const char* kAllowedFields =
    "Accept, Authorization, Content-Type, Idempotency-Key, Prefer, Traceparent, "
    "X-Request-Id";
// In seconds. Browsers remember it for two hours at most.
constexpr const char* kMaxAge = "7200";

bool is_origin(std::string_view text) {
  constexpr std::string_view kSeparator = "://";
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  const auto separator = text.find(kSeparator);
  if (separator == std::string_view::npos || separator == 0) return false;
  const std::string_view scheme = text.substr(0, separator);
  const std::string_view host = text.substr(separator + kSeparator.size());
  const auto holds_only = [&](std::string_view part, std::string_view others) {
    return std::all_of(part.begin(), part.end(), [&](char c) {
      return kLetters.find(c) != std::string_view::npos || others.find(c) != std::string_view::npos;
    });
  };
  return holds_only(scheme, "0123456789+-.") && !host.empty() && holds_only(host, "0123456789-.:[]_");
}

}  // namespace

std::optional<CorsPolicy> CorsPolicy::parse(std::string_view origins) {
  CorsPolicy policy;
  while (!origins.empty()) {
    const auto comma = origins.find(',');
    const std::string_view origin = trimmed(origins.substr(0, comma));
    if (!is_origin(origin)) return std::nullopt;
    policy.origins_.emplace_back(origin);
    origins.remove_prefix(comma == std::string_view::npos ? origins.size() : comma + 1);
  }
  return policy;
}

void CorsPolicy::add_to(HttpResponse& response, const HttpRequest& request) const {
  if (allows_nobody()) return;
  const auto origin = request.header("origin");
  const bool is_allowed = origin && request.count("origin") == 1 &&
                          std::find(origins_.begin(), origins_.end(), *origin) != origins_.end();
  const auto allow = std::find_if(response.headers.begin(), response.headers.end(),
                                  [](const auto& field) { return field.first == "Allow"; });
  const std::string methods = allow == response.headers.end() ? "" : allow->second;
  const auto add = [&](const char* name, std::string_view value) {
    response.headers.emplace_back(name, value);
  };
  // Added for all origins, because one cache may serve allowed origins and others.
  add("Vary", "Origin");
  if (!is_allowed) return;
  add("Access-Control-Allow-Origin", *origin);
  add("Access-Control-Expose-Headers", kExposed);
  if (request.method != "OPTIONS" || request.count("access-control-request-method") == 0) return;
  add("Access-Control-Allow-Methods", methods);
  add("Access-Control-Allow-Headers", kAllowedFields);
  add("Access-Control-Max-Age", kMaxAge);
}

}  // namespace rocket::api
