#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "spec/support/child_process.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A PgBouncer before the server of SPEC_DATABASE_URL, on a free port of 127.0.0.1, with its settings in a
// folder of its own.
class PgBouncer {
 public:
  // `settings` are further lines of its [pgbouncer] section. Returns once it listens.
  explicit PgBouncer(const std::string& pool_mode, const std::string& settings = "");
  ~PgBouncer();
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  // The way to the database through it.
  std::string url(const TestDatabase& database) const;
  // For the connections that there are too, in a moment. Once.
  void change_pool_mode(const std::string& pool_mode);

 private:
  void write_settings(const std::string& pool_mode) const;
  bool try_to_start();

  std::string settings_;
  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  std::optional<ChildProcess> process_;
};

}  // namespace rocket::spec
