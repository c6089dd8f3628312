#pragma once

#include <string>
#include <string_view>

namespace rocket {

// True if the host of a URL is this machine: localhost, 127.0.0.0/8, or ::1 with or without brackets. Names
// are not looked up.
bool is_loopback(std::string_view host);

// Returns a name or an address as a URL writes it, with IPv6 in brackets.
std::string url_host(std::string_view host);

}  // namespace rocket
