#include "rocket/metrics/process_values.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "rocket/metrics/values.h"

namespace rocket::metrics {
namespace {

// Some fields of /proc/self/stat, see proc(5). Times are in ticks of the kernel's clock.
struct Stat {
  double cpu_ticks = 0;
  double started_ticks = 0;
  double resident_pages = 0;
};

std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // The second field is the name of the program in parentheses, and may hold spaces. The third follows.
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  Stat stat;
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    if (number == 14 || number == 15) stat.cpu_ticks += std::stod(field);
    if (number == 22) stat.started_ticks = std::stod(field);
    if (number == 24) {
      stat.resident_pages = std::stod(field);
      return stat;
    }
  }
  return std::nullopt;
}

// When the machine started, in seconds since 1970.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  std::string name;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    double value = 0;
    if (fields >> name >> value && name == "btime") return value;
  }
  return std::nullopt;
}

std::optional<double> open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return std::nullopt;
  // This folder itself is open only now.
  double count = -1;
  while (const dirent* entry = ::readdir(folder.get())) {  // NOLINT(concurrency-mt-unsafe)
    if (entry->d_name[0] != '.') ++count;
  }
  return count;
}

std::optional<double> max_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

std::vector<prometheus::MetricFamily> process_values() {
  std::vector<prometheus::MetricFamily> all;
  if (const auto stat = read_stat()) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    all.push_back(counter("process_cpu_seconds_total", "Processor time of this process, in seconds.",
                          stat->cpu_ticks / ticks));
    all.push_back(gauge("process_resident_memory_bytes", "Memory that this process holds, in bytes.",
                        stat->resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE))));
    if (const auto booted = boot_time()) {
      all.push_back(gauge("process_start_time_seconds",
                          "When this process started, in seconds since 1970-01-01 UTC.",
                          *booted + stat->started_ticks / ticks));
    }
  }
  if (const auto open = open_descriptors()) {
    all.push_back(gauge("process_open_fds", "Open file descriptors of this process.", *open));
  }
  if (const auto most = max_descriptors()) {
    all.push_back(gauge("process_max_fds", "File descriptors that this process may have open.", *most));
  }
  return all;
}

}  // namespace rocket::metrics
