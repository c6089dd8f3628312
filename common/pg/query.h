#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rocket::pg {

// A statement with a name. It is prepared under this name, and logs and errors call it so. Names are unique
// in the program; make statements constants beside the code that runs them.
struct Statement {
  const char* name;
  const char* sql;
  bool takes_set = false;
  // The hash of `sql` if the statement was put together at run time. Two such statements could have one name,
  // and to run both on one connection is an error.
  std::size_t text_hash = 0;
};

// One statement for many rows at once: each of its parameters is an array with an element per row. Its result
// has a column `n`: the number, from 1, of the row that a row of the result belongs to. Each row has at most
// one row of the result.
struct SetStatement : Statement {
  constexpr SetStatement(const char* its_name, const char* its_sql, std::size_t its_hash = 0)
      : Statement{its_name, its_sql, true, its_hash} {}
};

// Bound parameters $1, $2, …, in text format; nullopt is NULL.
using Params = std::vector<std::optional<std::string>>;

struct Query {
  // Must outlive the query; statements are constants.
  const Statement* statement = nullptr;
  Params params;

  Query(const Statement& constant, Params bound) : statement(&constant), params(std::move(bound)) {}
};

// Makes one query out of several of the same set statement, each of which has the parameters of one row.
Query as_set(std::span<const Query* const> rows);

}  // namespace rocket::pg
