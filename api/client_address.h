#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// An IPv4 or IPv6 address; IPv4 as it is mapped into IPv6 (RFC 4291, section 2.5.5.2).
class IpAddress {
 public:
  // Returns nullopt if the text is no address. Mapped IPv4 is IPv4.
  static std::optional<IpAddress> parse(std::string_view text);
  // From 4 or 16 bytes in the order of the network.
  static IpAddress of_bytes(std::string_view bytes);

  // IPv4 in its dotted form.
  std::string text() const;
  // Whether the first bits, counted as in IPv6, are those of the other.
  bool shares_prefix(const IpAddress& other, std::size_t bits) const;
  bool is_ipv4() const;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// The proxies whose word about the client's address counts. Immutable, so thread safe.
class TrustedProxies {
 public:
  // Who tells the address, apart from the connection itself: a field of each request, or the header of the
  // PROXY protocol, once for each connection.
  enum class Header { kXForwardedFor, kForwarded, kProxyProtocol };

  // Trusts nobody.
  TrustedProxies() = default;

  // `networks`: a comma-separated list of addresses and networks, such as "10.0.0.0/8, ::1".
  // Returns nullopt if it is malformed.
  static std::optional<TrustedProxies> parse(std::string_view networks, Header header);

  // The address of the client: the peer's, or, if the peer is a trusted proxy, the last one in the header
  // that is not (X-Forwarded-For, or `for` in Forwarded, RFC 7239). Each proxy adds to the end of that list,
  // so it is read from the end; what stands before the word of somebody who is not trusted may be invented.
  // IPv4 that is mapped into IPv6 is written as IPv4.
  //
  // With the PROXY protocol, the peer is whom the proxy named, and no field counts.
  std::string client_address(const HttpRequest& request, const std::string& peer) const;

  // Whether a connection from there begins with the header of the PROXY protocol.
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
