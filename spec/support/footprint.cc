#include "spec/support/footprint.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "spec/support/eventually.h"

namespace rocket::spec {

namespace {

long status_of(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stol(line.substr(name.size()));
  }
  return 0;
}

}  // namespace

long memory_of(pid_t pid) { return status_of(pid, "VmRSS:"); }

long peak_memory_of(pid_t pid) { return status_of(pid, "VmHWM:"); }

std::chrono::milliseconds processor_time_of(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  // The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

std::size_t descriptors_of(pid_t pid) {
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

bool are_lanes_connected(TestDatabase& database, std::int64_t lanes) {
  // A lane runs its first statement when it connects. Until then `query` is empty.
  return eventually([&] {
    return database.count("pg_stat_activity",
                          "datname = current_database() AND application_name LIKE 'rocket-rides %'"
                          " AND state = 'idle' AND query <> ''") == lanes;
  });
}

}  // namespace rocket::spec
