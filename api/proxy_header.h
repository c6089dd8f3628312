#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

#include "api/client_address.h"

namespace rocket::api {

// What a proxy says of a connection before anything else is sent on it: the header of the PROXY protocol,
// version 1 or 2 (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt).
struct ProxyHeader {
  // The client whose connection it is. Nothing: the proxy's own, such as a health check, or of a kind that
  // has no address here.
  std::optional<IpAddress> client;
  // The header's, in bytes.
  std::size_t size = 0;

  // All of it has not come yet.
  struct NeedsMore {};
  // It is none, or not as the specification says. Nobody guesses then: the connection is to be closed.
  struct Malformed {};
  using Result = std::variant<NeedsMore, Malformed, ProxyHeader>;

  // The longest that is taken. The specification's own fit 232 bytes; proxies add what they know of TLS.
  static constexpr std::size_t kMaxBytes = 2048;

  // Reads the header at the front of `bytes`, the first of a connection. What follows it is not looked at.
  // Additions to a header of version 2 (type, length, value) are skipped, the checksum among them.
  static Result read(std::string_view bytes);
};

}  // namespace rocket::api
