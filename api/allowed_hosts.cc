#include "api/allowed_hosts.h"

#include <algorithm>
#include <cstdint>

#include "rocket/base/host.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

bool is_host(std::string_view text) {
  constexpr std::string_view kOthers = "0123456789-._:[]";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || kOthers.find(c) != std::string_view::npos;
  });
}

// Takes the port off, if there is a good one: "localhost:5000" is localhost, "[::1]:80" is [::1].
std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return host;
  const std::string_view port = host.substr(colon + 1);
  return port.empty() || number_of<std::uint16_t>(port) ? host.substr(0, colon) : host;
}

}  // namespace

std::optional<AllowedHosts> AllowedHosts::parse(std::string_view hosts) {
  AllowedHosts allowed;
  while (!hosts.empty()) {
    const auto comma = hosts.find(',');
    const std::string host = lower_case(trimmed(hosts.substr(0, comma)));
    hosts.remove_prefix(comma == std::string_view::npos ? hosts.size() : comma + 1);
    if (host == "*") {
      allowed.all_ = true;
    } else if (is_host(host)) {
      allowed.hosts_.push_back(url_host(host));
    } else {
      return std::nullopt;
    }
  }
  return allowed;
}

bool AllowedHosts::allow(const HttpRequest& request) const {
  const auto given = request.header("host");
  if (all_ || !given) return true;
  std::string host = lower_case(without_port(*given));
  // A name may end with a dot, the root of all names.
  if (host.ends_with('.')) host.pop_back();
  return is_loopback(host) || std::find(hosts_.begin(), hosts_.end(), host) != hosts_.end();
}

}  // namespace rocket::api
