#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "spec/support/paths.h"

// A folder may include only folders below it. A lower folder must not depend on a higher one.
namespace rocket {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>> kMayUse{
    {"base", {}},
    {"pg", {"base"}},
    {"http", {"base"}},
    {"payments", {"base", "http"}},
    {"idempotency", {"pg", "base"}},
    {"jobs", {"pg", "base"}},
    {"endpoints", {"idempotency", "payments", "http", "pg", "base"}},
    {"process", {"pg", "base"}},
};
const std::vector<std::string> kExecutables{"api", "completer", "enqueuer", "reaper", "simulator"};

struct Include {
  std::string file;
  // The first folder of the included path; empty if it has none.
  std::string folder;
  std::string path;
};

std::vector<Include> includes_of(const fs::path& folder) {
  std::vector<Include> includes;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cc") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      constexpr std::string_view kBegin = "#include \"";
      if (!line.starts_with(kBegin)) continue;
      const std::string path = line.substr(kBegin.size(), line.rfind('"') - kBegin.size());
      const auto slash = path.find('/');
      includes.push_back(
          {entry.path().string(), slash == std::string::npos ? "" : path.substr(0, slash), path});
    }
  }
  return includes;
}

TEST(Folders, OfCommonUseOnlyWhatIsBelowThem) {
  std::set<std::string> folders;
  for (const auto& entry : fs::directory_iterator(fs::path(spec::source_dir()) / "common")) {
    ASSERT_TRUE(entry.is_directory()) << entry.path() << " belongs into a folder";
    const std::string folder = entry.path().filename().string();
    folders.insert(folder);
    ASSERT_TRUE(kMayUse.contains(folder)) << folder << " has no place in the order of folders";
    const auto includes = includes_of(entry.path());
    EXPECT_FALSE(includes.empty()) << folder;
    for (const auto& include : includes) {
      EXPECT_TRUE(include.folder == folder || kMayUse.at(folder).contains(include.folder))
          << include.file << " includes " << include.path;
    }
  }
  EXPECT_EQ(folders.size(), kMayUse.size());
}

TEST(Folders, OfExecutablesUseOnlyCommonAndThemselves) {
  for (const std::string& folder : kExecutables) {
    const auto includes = includes_of(fs::path(spec::source_dir()) / folder);
    EXPECT_FALSE(includes.empty()) << folder;
    for (const auto& include : includes) {
      EXPECT_TRUE(include.folder == folder || kMayUse.contains(include.folder))
          << include.file << " includes " << include.path;
    }
  }
}

TEST(Folders, NeverReachThroughTheirParents) {
  for (const auto& entry : fs::directory_iterator(spec::source_dir())) {
    const std::string folder = entry.path().filename().string();
    if (folder != "common" &&
        std::find(kExecutables.begin(), kExecutables.end(), folder) == kExecutables.end()) {
      continue;
    }
    for (const auto& include : includes_of(entry.path())) {
      EXPECT_EQ(include.path.find(".."), std::string::npos) << include.file << " includes " << include.path;
    }
  }
}

TEST(Folders, HoldHeadersThatMayBeIncludedTwice) {
  for (const char* top : {"common", "api", "completer", "reaper"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(spec::source_dir()) / top)) {
      if (entry.path().extension() != ".h") continue;
      std::ifstream file(entry.path());
      std::string first;
      std::getline(file, first);
      EXPECT_EQ(first, "#pragma once") << entry.path();
    }
  }
}

}  // namespace
}  // namespace rocket
