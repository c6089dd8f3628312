#pragma once

#include <string>

namespace rocket::spec {

// The folder of the project, without a slash at its end.
std::string source_dir();
// The folder of the executables.
std::string bin_dir();

}  // namespace rocket::spec
