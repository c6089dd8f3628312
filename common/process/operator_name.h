#pragma once

#include <string>

namespace rocket::process {

// The name of the account that runs this process, for audit records of what operators do. Thread safe.
std::string operator_name();

}  // namespace rocket::process
