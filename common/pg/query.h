#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rocket::pg {

// A statement with a name: the name is what it is prepared under, and what logs and errors call it.
// Names are unique in the program; make them constants beside the code that runs them.
struct Statement {
  const char* name;
  const char* sql;
};

// Bound parameters $1, $2, …, in text format; nullopt is NULL.
using Params = std::vector<std::optional<std::string>>;

struct Query {
  // Must outlive the query; statements are constants.
  const Statement* statement = nullptr;
  Params params;

  Query(const Statement& constant, Params bound) : statement(&constant), params(std::move(bound)) {}
};

}  // namespace rocket::pg
