#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rocket::pg {

// The rows that one statement returned. Columns are addressed by name; an unknown name is a bug and throws
// std::logic_error. Not copyable.
class Result {
 public:
  explicit Result(PGresult* owned) : result_(owned) {}

  int rows() const;
  bool empty() const { return rows() == 0; }
  // Rows inserted, updated or deleted, for a statement that says.
  std::int64_t affected() const;
  // What the server says it did, such as "COMMIT".
  std::string_view command() const;

  bool is_null(int row, const char* column) const;
  // Valid while this result lives; empty for NULL.
  std::string_view text(int row, const char* column) const;
  std::optional<std::string> optional_text(int row, const char* column) const;
  // Throws std::logic_error when the column holds no such number.
  std::int64_t integer(int row, const char* column) const;
  double number(int row, const char* column) const;
  bool boolean(int row, const char* column) const;

  const PGresult* get() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };

  int column_index(const char* column) const;

  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace rocket::pg
