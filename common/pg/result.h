#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rocket::pg {

// The rows that one statement returned, or some of them. Columns are addressed by name; an unknown name is a
// bug and throws std::logic_error. Copies share the rows, which never change.
class Result {
 public:
  explicit Result(PGresult* owned) : result_(owned, PQclear), rows_(PQntuples(owned)) {}

  int rows() const { return rows_; }
  bool empty() const { return rows_ == 0; }
  // A part of the rows.
  Result part(int first, int count) const { return {result_, first_ + first, count}; }
  // Number of rows inserted, updated or deleted; 0 if the statement does not say.
  std::int64_t affected() const;
  // What the server says it did, such as "COMMIT".
  std::string_view command() const;

  bool is_null(int row, const char* column) const;
  // Valid while this result lives; empty for NULL.
  std::string_view text(int row, const char* column) const;
  std::optional<std::string> optional_text(int row, const char* column) const;
  // Throws std::logic_error when the column holds no such number.
  std::int64_t integer(int row, const char* column) const;

  const PGresult* get() const { return result_.get(); }

 private:
  Result(std::shared_ptr<PGresult> shared, int first, int rows)
      : result_(std::move(shared)), first_(first), rows_(rows) {}

  int column_index(const char* column) const;

  std::shared_ptr<PGresult> result_;
  int first_ = 0;
  int rows_ = 0;
};

}  // namespace rocket::pg
