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

std::string contents_of(const std::string& path) {
  const std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

void adapt_example(std::string& example, const std::string& from, const std::string& to) {
  auto at = example.find(from);
  if (at == std::string::npos) throw std::runtime_error("not in the example: " + from);
  for (; at != std::string::npos; at = example.find(from, at + to.size()))
    example.replace(at, from.size(), to);
}

const std::string& schema() {
  static const std::string text =
      contents_of(source_dir() + "/schema.sql") + contents_of(source_dir() + "/spec/with_tips/schema.sql");
  return text;
}

const std::string& roles() {
  static const std::string text = contents_of(source_dir() + "/bin/support/roles.sql") +
                                  contents_of(source_dir() + "/spec/with_tips/roles.sql");
  return text;
}

}  // namespace rocket::spec
