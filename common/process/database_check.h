#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "rocket/pg/connection.h"
#include "rocket/pg/query.h"
#include "rocket/pg/requirements.h"

namespace rocket::process {

// Keeps a worker from working on a database that lacks something that its statements need. Otherwise its
// attempts would fail half-way, one after another. pg_stat_activity shows the sessions of the check under the
// worker's name and " check". Not thread safe.
class DatabaseCheck {
 public:
  DatabaseCheck(pg::ConnectionOptions connection, const std::vector<pg::Statement>& statements);

  // Calls run_once and returns what it returned. The first time, and after each failure, it checks the
  // database first, on a connection of its own. Throws a std::runtime_error that says what is missing, errors
  // of pg, and what run_once throws.
  std::int64_t run(const std::function<std::int64_t()>& run_once);

 private:
  void check() const;

  pg::ConnectionOptions connection_;
  pg::Requirements requirements_;
  bool has_passed_ = false;
};

}  // namespace rocket::process
