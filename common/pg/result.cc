#include "rocket/pg/result.h"

#include <stdexcept>

#include "rocket/base/text.h"

namespace rocket::pg {
namespace {

template <typename Number>
Number parse(std::string_view text, const char* column) {
  const auto number = number_of<Number>(text);
  if (!number) throw std::logic_error("column " + std::string(column) + " holds no number");
  return *number;
}

}  // namespace

std::int64_t Result::affected() const {
  const std::string_view count = PQcmdTuples(result_.get());
  return count.empty() ? 0 : parse<std::int64_t>(count, "(affected rows)");
}

std::string_view Result::command() const { return PQcmdStatus(result_.get()); }

int Result::column_index(const char* column) const {
  const int index = PQfnumber(result_.get(), column);
  if (index < 0) throw std::logic_error("no column " + std::string(column));
  return index;
}

bool Result::is_null(int row, const char* column) const {
  return PQgetisnull(result_.get(), first_ + row, column_index(column)) != 0;
}

std::string_view Result::text(int row, const char* column) const {
  const int index = column_index(column);
  return {PQgetvalue(result_.get(), first_ + row, index),
          static_cast<std::size_t>(PQgetlength(result_.get(), first_ + row, index))};
}

std::optional<std::string> Result::optional_text(int row, const char* column) const {
  if (is_null(row, column)) return std::nullopt;
  return std::string(text(row, column));
}

std::int64_t Result::integer(int row, const char* column) const {
  return parse<std::int64_t>(text(row, column), column);
}

}  // namespace rocket::pg
