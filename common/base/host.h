#pragma once

#include <string>
#include <string_view>

namespace rocket {

// Whether a host of a URL is this machine: localhost, 127.0.0.0/8 or ::1, the last with or without brackets.
// Names are not looked up.
bool is_loopback(std::string_view host);

// A name or an address as it stands in a URL: IPv6 in brackets.
std::string url_host(std::string_view host);

}  // namespace rocket
