#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

#include "api/client_address.h"

namespace rocket::api {

// The header of the PROXY protocol, version 1 or 2. A proxy sends it first on each connection, to name the
// client (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt).
struct ProxyHeader {
  // The client's address. nullopt if the connection is the proxy's own, such as a health check, or of a kind
  // that has no address here.
  std::optional<IpAddress> client;
  // The size of the header, in bytes.
  std::size_t size = 0;

  // The header has not come completely yet.
  struct NeedsMore {};
  // The bytes are no header, or the header breaks the specification. Close the connection; do not guess.
  struct Malformed {};
  using Result = std::variant<NeedsMore, Malformed, ProxyHeader>;

  // The longest header that is taken, in bytes. Without additions a header fits 232 bytes; proxies add what
  // they know about TLS.
  static constexpr std::size_t kMaxBytes = 2048;

  // Reads the header at the front of `bytes`, which are the first of a connection. What follows the header is
  // not looked at. Additions to a header of version 2 (type, length, value) are skipped, including the
  // checksum.
  static Result read(std::string_view bytes);
};

}  // namespace rocket::api
