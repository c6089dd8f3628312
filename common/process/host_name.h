#pragma once

#include <string>

namespace rocket::process {

// The name of this machine or container, as the operating system knows it. Empty if it has none.
std::string host_name();

}  // namespace rocket::process
