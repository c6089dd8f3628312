#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocket::spec {

// A blocking connection with which a test reads or changes a database without the program. Parameters are $1,
// $2, … in text form. Every function throws std::runtime_error with the server's message. Not thread safe.
class SqlSession {
 public:
  using Row = std::vector<std::optional<std::string>>;

  explicit SqlSession(const std::string& url);

  // Runs one statement, or several if there are no parameters. Returns the number of affected rows.
  std::int64_t execute(const std::string& sql, const std::vector<std::string>& params = {});
  std::vector<Row> rows(const std::string& sql, const std::vector<std::string>& params = {});
  // The value of the only column of the only row; "NULL" if it is NULL. Another number of rows is an error of
  // the test.
  std::string value(const std::string& sql, const std::vector<std::string>& params = {});
  std::int64_t number(const std::string& sql, const std::vector<std::string>& params = {});

 private:
  using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;
  ResultPtr run(const std::string& sql, const std::vector<std::string>& params);

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

// Returns a libpq connection string: `url` with these keywords set to these values.
std::string url_with(const std::string& url,
                     const std::vector<std::pair<std::string, std::string>>& keywords);

}  // namespace rocket::spec
