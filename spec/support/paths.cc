#include "spec/support/paths.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace rocket::spec {

std::string source_dir() { return SPEC_SOURCE_DIR; }
std::string bin_dir() { return SPEC_BIN_DIR; }

std::string program(const std::string& name) {
  const std::string with_tips = bin_dir() + "/with_tips/" + name;
  return std::filesystem::exists(with_tips) ? with_tips : bin_dir() + "/" + name;
}

const std::string& schema() {
  static const std::string text = [] {
    std::ostringstream all;
    for (const char* file : {"/schema.sql", "/spec/with_tips/schema.sql"}) {
      std::ifstream stream(source_dir() + file);
      if (!stream) throw std::runtime_error("cannot read " + source_dir() + file);
      all << stream.rdbuf();
    }
    return all.str();
  }();
  return text;
}

}  // namespace rocket::spec
