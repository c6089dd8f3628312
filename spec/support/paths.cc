#include "spec/support/paths.h"

namespace rocket::spec {

std::string source_dir() { return SPEC_SOURCE_DIR; }
std::string bin_dir() { return SPEC_BIN_DIR; }

}  // namespace rocket::spec
