#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// An IPv4 or IPv6 address. IPv4 is held in its form mapped into IPv6 (RFC 4291, section 2.5.5.2).
class IpAddress {
 public:
  // Returns nullopt if the text is no address. A mapped IPv4 address counts as IPv4.
  static std::optional<IpAddress> parse(std::string_view text);
  // Takes 4 or 16 bytes in network order.
  static IpAddress of_bytes(std::string_view bytes);

  // IPv4 is written in its dotted form.
  std::string text() const;
  // Whether the first `bits` bits of both addresses are the same, counted in the IPv6 form.
  bool shares_prefix(const IpAddress& other, std::size_t bits) const;
  bool is_ipv4() const;
  // The first address of its network of this size. `bits` is a multiple of 8.
  IpAddress first_of_network(std::size_t bits) const;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// The network that an address counts for: an IPv6 address for its first 64 bits, because whoever has one
// usually has all that begin so. An IPv4 address counts for itself.
std::string network_of(const std::string& address);

// The proxies that are believed when they tell a client's address. Immutable, so thread safe.
class TrustedProxies {
 public:
  // Where a proxy tells the client's address: in a field of each request, or in the header of the PROXY
  // protocol, once for each connection.
  enum class Header { kXForwardedFor, kForwarded, kProxyProtocol };

  // Trusts nobody.
  TrustedProxies() = default;

  // `networks`: a comma-separated list of addresses and networks, such as "10.0.0.0/8, ::1".
  // Returns nullopt if it is malformed.
  static std::optional<TrustedProxies> parse(std::string_view networks, Header header);

  // Returns the address of the client. That is the peer's address, unless the peer is a trusted proxy. Then
  // it is the last address in the header (X-Forwarded-For, or `for` in Forwarded, RFC 7239) that belongs to
  // no trusted proxy. Each proxy adds to the end of that list, so the list is read from the end. Whatever
  // stands before the entry of an untrusted sender may be invented. Mapped IPv4 is written as IPv4.
  //
  // With the PROXY protocol, `peer` is the client that the proxy named, and no field counts.
  std::string client_address(const HttpRequest& request, const std::string& peer) const;

  // Whether a connection from this peer begins with the header of the PROXY protocol.
  bool announces_clients(const IpAddress& peer) const {
    return header_ == Header::kProxyProtocol && trusts(peer);
  }
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    IpAddress address;
    std::size_t bits;
  };
  bool trusts(const IpAddress& address) const;

  std::vector<Network> networks_;
  Header header_ = Header::kXForwardedFor;
};

}  // namespace rocket::api
