#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

namespace rocket::pg {

// What a process needs of its database: the tables, columns, constraints and rights that its statements use,
// and an encoding that holds every answer.
//
// The server itself says whether it is all there: it plans each statement (EXPLAIN) and does not run it.
// Planning looks for everything that the statement names and for the rights of the role. So nothing is listed
// a second time. This does not find what only shows with rows, such as a further CHECK constraint that
// refuses them.
//
// Immutable, so thread safe.
class Requirements {
 public:
  explicit Requirements(const std::vector<Statement>& statements);
  ~Requirements() = default;
  // Not copied, because queries point into it.
  Requirements(const Requirements&) = delete;
  Requirements& operator=(const Requirements&) = delete;

  // Runs queries in one transaction and returns their results in order.
  using Transact = std::function<asio::awaitable<std::vector<Result>>(std::vector<Query>)>;

  // Returns what is missing, one sentence each, mostly in the server's words; empty if nothing is. It changes
  // nothing. It waits for locks only briefly, and then throws StatementFailed, as for any other temporary
  // failure. Throws Unavailable when the database is away or read-only. This object must outlive the call.
  asio::awaitable<std::vector<std::string>> find_missing(Transact transact) const;

 private:
  struct Planned {
    std::string name;
    std::string sql;
    std::size_t parameters = 0;
  };

  std::vector<Query> queries() const;

  std::vector<Planned> planned_;
  // These point into `planned_`.
  std::vector<Statement> statements_;
  std::string all_sql_;
};

}  // namespace rocket::pg
