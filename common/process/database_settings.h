#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "rocket/base/settings.h"
#include "rocket/pg/lane.h"

namespace rocket::process {

// The connection strings that a program is given. With its own one it has a role that may do only what the
// program does; see bin/support/roles.sql. That of DATABASE_URL may have the role that owns the tables.
struct DatabaseUrls {
  std::string own{};
  std::string shared{};
  // The name of the variable of `own`.
  std::string own_variable{};

  // Adds the program's own variable, such as API_DATABASE_URL, and DATABASE_URL. They are read from the
  // environment only: a connection string may hold a password, and command lines are visible to others.
  void add_to(Settings& settings, const std::string& help = "PostgreSQL connection string or URI");
  // The one with which the program does its work: its own, or else DATABASE_URL. Empty if none is set.
  const std::string& for_work() const { return own.empty() ? shared : own; }
  // The one with which only the owner of the tables works. Empty if it is not set.
  const std::string& for_owner() const { return shared; }
  // Says that none is set.
  std::string is_missing() const;
  // Returns what is wrong with for_work(), which is set, or nullopt.
  std::optional<std::string> mistake(bool allow_plaintext) const;
  // Returns what is wrong with for_owner(), or nullopt.
  std::optional<std::string> owner_mistake(bool allow_plaintext) const;
};

// How a process reaches its database: its connection string and what goes with it.
struct DatabaseSettings {
  DatabaseUrls urls;
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
  // These are for commands that only the owner of the tables may run; see DatabaseUrls::owner_mistake().
  pg::ConnectionOptions owner_connection_options(const std::string& process) const;
};

// Adds DATABASE_ALLOW_PLAINTEXT.
void add_allow_plaintext(Settings& settings, bool& allow_plaintext);

}  // namespace rocket::process
