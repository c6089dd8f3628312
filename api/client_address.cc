#include "api/client_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "rocket/base/text.h"

namespace rocket::api {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kMappedBits = 8 * kMapped.size();

// Takes the last part off the end of a list, and returns it.
std::string_view take_last(std::string_view& list, char separator) {
  const auto before = list.rfind(separator);
  const std::string_view last = before == std::string_view::npos ? list : list.substr(before + 1);
  list = before == std::string_view::npos ? std::string_view() : list.substr(0, before);
  return trimmed(last);
}

// An address that may have a port behind it: 192.0.2.1:80, [2001:db8::1]:80.
std::optional<IpAddress> parse_node(std::string_view node) {
  if (node.starts_with('[')) {
    const auto end = node.find(']');
    return end == std::string_view::npos ? std::nullopt : IpAddress::parse(node.substr(1, end - 1));
  }
  const auto colon = node.find(':');
  const bool has_port =
      colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  return IpAddress::parse(has_port ? node.substr(0, colon) : node);
}

// The node in one element of Forwarded, such as for="[2001:db8::1]:80";proto=https. Empty if it has none.
std::string_view forwarded_for(std::string_view element) {
  while (!element.empty()) {
    std::string_view pair = take_last(element, ';');
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || !equal_ignoring_case(trimmed(pair.substr(0, equals)), "for"))
      continue;
    pair = trimmed(pair.substr(equals + 1));
    if (pair.size() >= 2 && pair.starts_with('"') && pair.ends_with('"'))
      pair = pair.substr(1, pair.size() - 2);
    return pair;
  }
  return {};
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // The longest address has 45 characters.
  std::array<char, 64> terminated{};
  if (text.size() >= terminated.size()) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  IpAddress address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes_.begin());
  if (::inet_pton(AF_INET, terminated.data(), address.bytes_.data() + kMapped.size()) == 1) return address;
  if (::inet_pton(AF_INET6, terminated.data(), address.bytes_.data()) == 1) return address;
  return std::nullopt;
}

IpAddress IpAddress::of_bytes(std::string_view bytes) {
  IpAddress address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes_.begin());
  std::copy(bytes.begin(), bytes.end(), address.bytes_.end() - static_cast<std::ptrdiff_t>(bytes.size()));
  return address;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4()) {
    ::inet_ntop(AF_INET, bytes_.data() + kMapped.size(), text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  }
  return text.data();
}

IpAddress IpAddress::first_of_network(std::size_t bits) const {
  IpAddress first = *this;
  std::fill(first.bytes_.begin() + static_cast<std::ptrdiff_t>(bits / 8), first.bytes_.end(),
            std::uint8_t{0});
  return first;
}

std::string network_of(const std::string& address) {
  constexpr std::size_t kBits = 64;
  // No IPv4 address has a colon, because mapped ones are written as IPv4.
  if (address.find(':') == std::string::npos) return address;
  const auto parsed = IpAddress::parse(address);
  return parsed && !parsed->is_ipv4() ? parsed->first_of_network(kBits).text() + "/64" : address;
}

bool IpAddress::is_ipv4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

bool IpAddress::shares_prefix(const IpAddress& other, std::size_t bits) const {
  const std::size_t whole = bits / 8;
  if (!std::equal(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes_.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  return (bytes_[whole] ^ other.bytes_[whole]) >> (8 - bits % 8) == 0;
}

std::optional<TrustedProxies> TrustedProxies::parse(std::string_view networks, Header header) {
  TrustedProxies proxies;
  proxies.header_ = header;
  while (!networks.empty()) {
    const std::string_view network = take_last(networks, ',');
    const auto slash = network.find('/');
    const auto address = IpAddress::parse(network.substr(0, slash));
    if (!address) return std::nullopt;
    const std::size_t before =
        address->is_ipv4() && network.find(':') == std::string_view::npos ? kMappedBits : 0;
    std::size_t bits = 128 - before;
    if (slash != std::string_view::npos) {
      const std::string_view digits = network.substr(slash + 1);
      const std::size_t most = bits;
      const auto given = number_of<std::size_t>(digits);
      if (!given || *given > most) return std::nullopt;
      bits = *given;
    }
    proxies.networks_.push_back({*address, before + bits});
  }
  return proxies;
}

bool TrustedProxies::trusts(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return address.shares_prefix(network.address, network.bits);
  });
}

std::string TrustedProxies::client_address(const HttpRequest& request, const std::string& peer) const {
  if (networks_.empty() || header_ == Header::kProxyProtocol) return peer;
  std::optional<IpAddress> client = IpAddress::parse(peer);
  if (!client) return peer;
  const std::string_view name = header_ == Header::kForwarded ? "forwarded" : "x-forwarded-for";
  for (auto field = request.headers.rbegin(); field != request.headers.rend(); ++field) {
    if (field->first != name) continue;
    std::string_view list = field->second;
    while (!list.empty() && trusts(*client)) {
      std::string_view hop = take_last(list, ',');
      if (header_ == Header::kForwarded) hop = forwarded_for(hop);
      const auto address = parse_node(hop);
      // The proxy does not know the next address, or does not tell it. So the last known one is the client's.
      if (!address) return client->text();
      client = address;
    }
  }
  return client->text();
}

}  // namespace rocket::api
