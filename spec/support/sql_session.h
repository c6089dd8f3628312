#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocket::spec {

// A plain, blocking connection with which a test looks at a database or changes it behind the program's back.
// Parameters are $1, $2, … in text form. Everything throws std::runtime_error with the server's complaint.
// Not thread safe.
class SqlSession {
 public:
  using Row = std::vector<std::optional<std::string>>;

  explicit SqlSession(const std::string& url);

  // Runs one statement, or several when there are no parameters; returns the number of rows touched.
  std::int64_t execute(const std::string& sql, const std::vector<std::string>& params = {});
  std::vector<Row> rows(const std::string& sql, const std::vector<std::string>& params = {});
  // The one value of the one row; NULL reads as "NULL". No row, or more than one, is a mistake of the test.
  std::string value(const std::string& sql, const std::vector<std::string>& params = {});
  std::int64_t number(const std::string& sql, const std::vector<std::string>& params = {});

 private:
  using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;
  ResultPtr run(const std::string& sql, const std::vector<std::string>& params);

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

// `url` with some of libpq's keywords set to other values, as a libpq connection string.
std::string url_with(const std::string& url,
                     const std::vector<std::pair<std::string, std::string>>& keywords);

}  // namespace rocket::spec
