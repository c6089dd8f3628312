#include "rocket/payments/mock_ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace rocket::payments {

MockLedger::MockLedger(std::string path)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
  if (file_ < 0) throw std::system_error(errno, std::generic_category(), path_);
}

MockLedger::~MockLedger() { ::close(file_); }

void MockLedger::append(const std::string& call, bool answer_lost) const {
  const std::string line = call + (answer_lost ? " lost\n" : " -\n");
  // One short write in append mode: lines of several processes do not mix.
  if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
}

std::vector<MockLedger::Entry> MockLedger::read(const std::string& path, const std::string& key,
                                                std::int64_t last_bytes) {
  std::vector<Entry> entries;
  std::ifstream file(path, std::ios::ate);
  const std::int64_t size = file.tellg();
  // The first line may then be cut. Such a line does not begin with a key, so it is skipped.
  file.seekg(std::max<std::int64_t>(0, size - last_bytes));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string its_key, whose, cents, ride_id, outcome, fate;
    words >> its_key >> whose >> cents >> ride_id >> outcome >> fate;
    if (its_key != key) continue;
    entries.push_back({outcome == kDeclined ? std::nullopt : std::optional(outcome), fate == "lost"});
  }
  return entries;
}

}  // namespace rocket::payments
