#include "api/allowed_hosts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "rocket/base/host.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

bool is_name(std::string_view text) {
  constexpr std::string_view kOthers = "0123456789-._";
  return !text.empty() && text.front() != '.' && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || kOthers.find(c) != std::string_view::npos;
  });
}

// The one spelling of an IPv6 address, with or without brackets; empty if the text is none.
std::string ipv6_of(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> spelling{};
  if (::inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return {};
  return ::inet_ntop(AF_INET6, &address, spelling.data(), spelling.size());
}

// A host in lower case, an IPv6 address in its one spelling. A name may end with a dot, the root of all
// names.
std::string normalized(std::string_view text) {
  std::string host = lower_case(text);
  if (std::string address = ipv6_of(host); !address.empty()) return address;
  if (host.ends_with('.')) host.pop_back();
  return host;
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
    const std::string host = normalized(trimmed(hosts.substr(0, comma)));
    hosts.remove_prefix(comma == std::string_view::npos ? hosts.size() : comma + 1);
    if (host == "*") {
      allowed.all_ = true;
    } else if (is_name(host) || !ipv6_of(host).empty()) {
      allowed.hosts_.push_back(host);
    } else {
      return std::nullopt;
    }
  }
  return allowed;
}

bool AllowedHosts::allow(const HttpRequest& request) const {
  const auto given = request.header("host");
  if (all_ || !given) return true;
  const std::string host = normalized(without_port(*given));
  return is_loopback(host) || std::find(hosts_.begin(), hosts_.end(), host) != hosts_.end();
}

}  // namespace rocket::api
