#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_message.h"

namespace rocket::api {

// The names by which clients may call this api, in Host. A page of a stranger can make its visitor's browser
// call any address, also one that only the visitor can reach, by a name of the stranger's own (DNS
// rebinding). Such a request has that name in its Host. Immutable, so thread safe.
class AllowedHosts {
 public:
  // Only the names of this machine: localhost, 127.0.0.0/8 and ::1.
  AllowedHosts() = default;

  // These too: a comma-separated list such as "api.example.com, 10.0.0.7, [2001:db8::1]", without ports. "*"
  // is every name. Returns nullopt if one of them is not a host.
  static std::optional<AllowedHosts> parse(std::string_view hosts);

  // True if the request may be served. A request of HTTP/1.0 need not name a host.
  bool allow(const HttpRequest& request) const;

 private:
  bool all_ = false;
  std::vector<std::string> hosts_;
};

}  // namespace rocket::api
