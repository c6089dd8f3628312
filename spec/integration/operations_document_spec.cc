#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "spec/support/child_process.h"
#include "spec/support/paths.h"

// docs/operations.md has every setting of every process, and no other.
namespace rocket::spec {
namespace {

using Names = std::set<std::string>;

const std::vector<std::string> kProcesses{"api", "completer", "enqueuer", "reaper", "simulator"};

Names matches(const std::string& text, const std::string& pattern) {
  const std::regex name(pattern);
  Names found;
  for (std::sregex_iterator each(text.begin(), text.end(), name), end; each != end; ++each) {
    found.insert((*each)[1].str());
  }
  return found;
}

// The variables in the output of --help.
Names settings_of(const std::string& process) {
  const Finished help = run_to_end(process, {}, {"--help"});
  EXPECT_EQ(help.exit.code, 0);
  std::istringstream lines(help.output);
  Names settings;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  --") || line.starts_with("  (environment only)")) {
      settings.merge(matches(line, "\\b([A-Z][A-Z_]+)\\b"));
    }
  }
  return settings;
}

struct Row {
  Names settings;
  Names processes;
};

std::vector<Row> rows_of_the_table() {
  std::ifstream file(source_dir() + "/docs/operations.md");
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## Processes")) break;
    const std::regex columns(R"(\|([^|]*`[^|]*)\|([^|]*)\|.*)");
    std::smatch parts;
    if (!std::regex_match(line, parts, columns)) continue;
    Row row{matches(parts[1].str(), "`([A-Z_]+)`"), matches(parts[2].str(), "([a-z]+)")};
    if (row.processes == Names{"all"}) row.processes = Names(kProcesses.begin(), kProcesses.end());
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(OperationsDocument, HasEverySettingOfEveryProcess) {
  const std::vector<Row> rows = rows_of_the_table();
  Names unknown;
  for (const Row& row : rows) unknown.insert(row.settings.begin(), row.settings.end());
  for (const std::string& process : kProcesses) {
    const Names settings = settings_of(process);
    EXPECT_FALSE(settings.empty()) << process;
    Names undocumented = settings;
    for (const Row& row : rows) {
      if (!row.processes.contains(process)) continue;
      std::size_t read = 0;
      for (const std::string& each : row.settings) {
        undocumented.erase(each);
        read += settings.count(each);
      }
      EXPECT_GT(read, 0U) << process << " reads no " << *row.settings.begin();
    }
    EXPECT_EQ(undocumented, Names()) << process;
    for (const std::string& each : settings) unknown.erase(each);
  }
  EXPECT_EQ(unknown, Names()) << "no process reads these";
}

}  // namespace
}  // namespace rocket::spec
