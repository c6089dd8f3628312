#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "spec/support/child_process.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A PgBouncer in front of the server of SPEC_DATABASE_URL. It listens on a free port of 127.0.0.1, and has
// its own folder for its settings.
class PgBouncer {
 public:
  // `settings` are further lines of its [pgbouncer] section. Returns once it listens.
  explicit PgBouncer(const std::string& pool_mode, const std::string& settings = "");
  ~PgBouncer();
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;

  // The URL of the database through PgBouncer.
  std::string url(const TestDatabase& database) const;
  // Applies to open connections too, after a moment. May be called only once.
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
