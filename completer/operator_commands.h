#pragma once

#include <chrono>
#include <string>

#include "rocket/base/settings.h"
#include "rocket/pg/connection.h"

namespace rocket::completer {

// The commands of an operator: --list-parked, --show, --resume and --close. Each prints what it found or did,
// as text for people or as JSON for programs (docs/operations.md lists the fields), and ends the program.
struct OperatorCommands {
  bool list_parked = false;
  std::string show;
  std::string resume;
  std::string close;
  std::string note;
  std::string format = "text";

  void add_to(Settings& settings);
  bool is_asked() const;
  // Returns the exit status: 1 if there is no such key, or the key is not parked.
  int run(const pg::ConnectionOptions& database, std::chrono::seconds lease_time) const;
};

}  // namespace rocket::completer
