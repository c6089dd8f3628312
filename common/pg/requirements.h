#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "pg/query.h"
#include "pg/result.h"

namespace rocket::pg {

// What a process needs of its database: the tables, columns, constraints and rights that its statements use,
// and an encoding that holds every answer.
//
// The server itself says whether it is all there: it plans each statement (EXPLAIN), which looks for
// everything that the statement names and for the role's rights, and does not run it. So nothing is listed a
// second time. What only rows show is not seen, such as a further CHECK constraint that refuses them.
//
// Immutable, so thread safe.
class Requirements {
 public:
  explicit Requirements(const std::vector<Statement>& statements);
  ~Requirements() = default;
  // Queries point into it.
  Requirements(const Requirements&) = delete;
  Requirements& operator=(const Requirements&) = delete;

  // Runs queries in one transaction and returns their results in order.
  using Transact = std::function<asio::awaitable<std::vector<Result>>(std::vector<Query>)>;

  // What is missing, one sentence each, mostly in the server's words; empty if nothing is. It changes
  // nothing, and hardly waits for locks: then it throws StatementFailed, as for whatever else is temporary.
  // Throws Unavailable when the database is away or read-only. Must outlive the call.
  asio::awaitable<std::vector<std::string>> find_missing(Transact transact) const;

 private:
  struct Planned {
    std::string name;
    std::string sql;
    std::size_t parameters = 0;
  };

  std::vector<Query> queries() const;

  std::vector<Planned> planned_;
  // Point into what stands above.
  std::vector<Statement> statements_;
  std::string all_sql_;
};

}  // namespace rocket::pg
