#include "rocket/pg/query.h"

#include <cstddef>

namespace rocket::pg {
namespace {

// Appends an element in PostgreSQL's text format for arrays ("Array Input and Output Syntax").
void append_element(std::string& array, const std::optional<std::string>& value) {
  if (!value) {
    array += "NULL";
    return;
  }
  array += '"';
  for (const char character : *value) {
    if (character == '"' || character == '\\') array += '\\';
    array += character;
  }
  array += '"';
}

}  // namespace

Query as_set(std::span<const Query* const> rows) {
  Params arrays;
  const std::size_t columns = rows.front()->params.size();
  arrays.reserve(columns);
  for (std::size_t column = 0; column < columns; ++column) {
    std::string array = "{";
    for (const Query* row : rows) {
      if (array.size() > 1) array += ',';
      append_element(array, row->params[column]);
    }
    arrays.emplace_back(array + '}');
  }
  return {*rows.front()->statement, std::move(arrays)};
}

}  // namespace rocket::pg
