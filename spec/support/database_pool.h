#pragma once

#include <string>

#include "spec/support/sql_session.h"

namespace rocket::spec {

// The databases of tests, each with schema.sql and the rights of the roles loaded. A test that has ended
// leaves its database to another one, because to empty a database takes the server a tenth of the time that
// it takes to make one, and sessions start faster in it.
//
// The schema is loaded once per server, into a template named after the hash of schema.sql; a new database is
// a copy of it. Several test processes may do all this at once. Not thread safe.
class DatabasePool {
 public:
  // `maintenance` is connected to a database whose user may create others. It must outlive the pool.
  explicit DatabasePool(SqlSession& maintenance) : maintenance_(maintenance) {}

  // The name of a database that nobody else uses, as schema.sql makes it.
  std::string take();
  // Ends all sessions in the database, and empties it. A database that is not as schema.sql makes it then,
  // because the test changed a table, a setting or a right, is dropped. Throws nothing.
  void give_back(const std::string& name) noexcept;

 private:
  std::string ensure_template();
  bool has_sessions(const std::string& name);
  // Whether it is as new.
  bool renew(const std::string& name);
  bool leave_to_others(const std::string& name);

  SqlSession& maintenance_;
};

}  // namespace rocket::spec
