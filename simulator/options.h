#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "rocket/base/log.h"
#include "rocket/idempotency/times.h"
#include "rocket/metrics/exposer.h"
#include "rocket/process/database_settings.h"

namespace rocket::simulator {

struct Options {
  LogOptions log;
  metrics::ExposerOptions metrics{.port = 9405};

  // Where the api is, without a path and without a slash at the end.
  std::string url;
  // Requests per second, retries included; 0: as fast as possible.
  double rate = 1;
  // Scenarios under way at once, each on a thread of its own.
  std::int64_t concurrency = 4;
  // How long to send. 0: until stopped.
  std::chrono::seconds duration{0};
  std::int64_t users = 50;
  // If no seed is given, read_options chooses one.
  std::int64_t seed = 0;
  std::chrono::seconds request_timeout{10};
  // Time between two progress lines. 0: none before the end.
  std::chrono::milliseconds progress{0};
  // Empty: no database.
  process::DatabaseUrls database;
  bool allow_plaintext = false;

  bool verify = false;
  bool verify_only = false;
  std::chrono::seconds settle{30};
  std::chrono::seconds overdue{600};
  // How many offenders a line about a broken promise names.
  std::int64_t max_named = 10;
  // These five must be what the other processes run with.
  std::chrono::seconds lease_time = idempotency::kLeaseTime;
  std::chrono::seconds completer_grace = idempotency::kGrace;
  std::chrono::seconds completer_pause = idempotency::kPause;
  std::chrono::seconds completer_longest_pause = idempotency::kLongestPause;
  std::chrono::seconds key_retention = idempotency::kKeyRetention;
  // Empty: the ledger is not checked.
  std::string ledger;

  bool verifies() const { return verify || verify_only; }
};

// Returns nullopt if the program must go on. An address and a seed that were not given are chosen then.
// Otherwise the program must end with the returned status, as after Settings::read.
std::optional<int> read_options(int argc, const char* const* argv, Options& options);

}  // namespace rocket::simulator
