#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "rocket/base/settings.h"
#include "rocket/pg/lane.h"

namespace rocket::process {

// How a process reaches its database: DATABASE_URL and what goes with it.
struct DatabaseSettings {
  std::string url;
  bool allow_plaintext = false;
  // Longest transaction; see ConnectionOptions.
  std::chrono::milliseconds timeout{5000};
  // Connections, each with a thread.
  std::int64_t lanes = 1;
  std::int64_t batch_limit = 64;

  void add_to(Settings& settings);
  // Adds --lanes and --batch-limit, for processes that have lanes.
  void add_lanes_to(Settings& settings);
  pg::LaneOptions lane_options(const std::string& process) const;
  pg::ConnectionOptions connection_options(const std::string& process) const;
};

// Adds DATABASE_ALLOW_PLAINTEXT.
void add_allow_plaintext(Settings& settings, bool& allow_plaintext);
// Returns what is wrong with a DATABASE_URL that is set, or nullopt.
std::optional<std::string> database_url_mistake(const std::string& url, bool allow_plaintext);

}  // namespace rocket::process
