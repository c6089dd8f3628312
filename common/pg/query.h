#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rocket::pg {

// A statement with a name: the name is what it is prepared under, and what logs and errors call it.
// Names are unique in the program; make them constants beside the code that runs them.
struct Statement {
  const char* name;
  const char* sql;
  bool takes_set = false;
};

// One statement for many rows at once: each of its parameters is an array with an element per row. Its result
// has a column `n`, which counts from 1 and tells which of these rows a row of the result belongs to; there
// is at most one for each.
struct SetStatement : Statement {
  constexpr SetStatement(const char* its_name, const char* its_sql) : Statement{its_name, its_sql, true} {}
};

// Bound parameters $1, $2, …, in text format; nullopt is NULL.
using Params = std::vector<std::optional<std::string>>;

struct Query {
  // Must outlive the query; statements are constants.
  const Statement* statement = nullptr;
  Params params;

  Query(const Statement& constant, Params bound) : statement(&constant), params(std::move(bound)) {}
};

// One query out of several of the same set statement, each of which has the parameters of one row.
Query as_set(std::span<const Query* const> rows);

}  // namespace rocket::pg
