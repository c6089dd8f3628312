#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "spec/support/paths.h"

namespace rocket::spec {
namespace {

namespace fs = std::filesystem;

// With each run of white space as one space.
std::string squeezed(const std::string& text) { return std::regex_replace(text, std::regex("\\s+"), " "); }

// The pieces of code in docs/tutorial.md. A line "…" stands for what is left out.
std::vector<std::string> pieces_of(const std::string& tutorial) {
  std::vector<std::string> pieces;
  bool is_code = false;
  std::istringstream lines(tutorial);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      is_code = line == "```cpp" || line == "```sql" || line == "```cmake";
      if (is_code) pieces.emplace_back();
    } else if (is_code && line == "…") {
      pieces.emplace_back();
    } else if (is_code) {
      pieces.back() += line + '\n';
    }
  }
  return pieces;
}

TEST(Tutorial, ShowsTheCodeThatIsBuilt) {
  std::string code;
  for (const auto& entry : fs::directory_iterator(source_dir() + "/spec/consumer")) {
    code += squeezed(contents_of(entry.path()));
  }
  const std::vector<std::string> pieces = pieces_of(contents_of(source_dir() + "/docs/tutorial.md"));
  EXPECT_GT(pieces.size(), 8U);
  for (const std::string& piece : pieces) {
    EXPECT_NE(code.find(squeezed(piece)), std::string::npos) << "not in spec/consumer:\n" << piece;
  }
}

}  // namespace
}  // namespace rocket::spec
