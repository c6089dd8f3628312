#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "pg/connection.h"
#include "pg/query.h"
#include "pg/requirements.h"

namespace rocket::process {

// Keeps a worker from working on a database that lacks something its statements need: its attempts would fail
// half-way, one after another. pg_stat_activity shows its sessions by the worker's name and " check". Not
// thread safe.
class DatabaseCheck {
 public:
  DatabaseCheck(pg::ConnectionOptions connection, const std::vector<pg::Statement>& statements);

  // Calls run_once and returns what it returned. The first time, and after each failure, it checks the
  // database before that, on a connection of its own. Throws std::runtime_error that says what is missing,
  // pg's errors, and what run_once throws.
  std::int64_t run(const std::function<std::int64_t()>& run_once);

 private:
  void check() const;

  pg::ConnectionOptions connection_;
  pg::Requirements requirements_;
  bool has_passed_ = false;
};

}  // namespace rocket::process
