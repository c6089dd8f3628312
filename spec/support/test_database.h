#pragma once

#include <string>

#include "spec/support/database_pool.h"
#include "spec/support/sql_session.h"

namespace rocket::spec {

// A database of its own for one test, as schema.sql makes it. Every connection to it ends when this object
// goes.
//
// SPEC_DATABASE_URL names a maintenance database (such as "postgres") whose user may create databases
// and roles. The roles of roles.h must be able to log in there.
//
// Time does not pass in specs: rows are aged instead, as with pass_lease() below.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  // For DATABASE_URL.
  const std::string& url() const { return url_; }
  const std::string& name() const { return name_; }
  // A further session, for another thread or to hold locks.
  SqlSession open_session() const { return SqlSession(url_); }

  std::int64_t execute(const std::string& sql, const std::vector<std::string>& params = {}) {
    return session_->execute(sql, params);
  }
  std::string value(const std::string& sql, const std::vector<std::string>& params = {}) {
    return session_->value(sql, params);
  }
  std::int64_t number(const std::string& sql, const std::vector<std::string>& params = {}) {
    return session_->number(sql, params);
  }
  std::vector<SqlSession::Row> rows(const std::string& sql, const std::vector<std::string>& params = {}) {
    return session_->rows(sql, params);
  }

  // Rows of a table, all of them or those for which a condition holds.
  std::int64_t count(const std::string& table, const std::string& condition = "true");
  // One column of the row of this idempotency key, whoever's it is; NULL reads as "NULL".
  std::string of_key(const std::string& key, const std::string& column);
  // Makes the lease of this key look as old as a stalled holder's, one second past the 90 it may last.
  void pass_lease(const std::string& key);
  // The test connects anew, after the server went away and came back.
  void reconnect();

 private:
  // Connecting costs more than keeping it.
  SqlSession maintenance_;
  DatabasePool pool_;
  std::string name_;
  std::string url_;
  std::unique_ptr<SqlSession> session_;
};

// SPEC_DATABASE_URL; throws when it is not set.
std::string maintenance_url();

}  // namespace rocket::spec
