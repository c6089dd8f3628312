#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// Errors by what the caller does next.
namespace rocket::pg {

// There is no connection, or it broke before COMMIT was sent: nothing happened. Try again later.
class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The connection broke after COMMIT was sent and before its answer: the work is done or it is not.
// Find out before doing anything else.
class InDoubt : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

// The server refused a statement; its transaction was rolled back.
class StatementFailed : public std::runtime_error {
 public:
  StatementFailed(std::string query, std::string sqlstate, const std::string& message)
      : std::runtime_error(message), query_(std::move(query)), sqlstate_(std::move(sqlstate)) {}

  // The name of the statement, as in its constant.
  const std::string& query() const { return query_; }
  // Five characters; see PostgreSQL's appendix "PostgreSQL Error Codes".
  const std::string& sqlstate() const { return sqlstate_; }

  // Serialization failure, deadlock, or a lock not granted in time: the same work may pass when run again.
  bool may_pass_when_repeated() const {
    return sqlstate_ == "40001" || sqlstate_ == "40P01" || sqlstate_ == "55P03";
  }
  // The server is starting, stopping, out of connections or of room: it is away, in effect.
  bool server_cannot_serve() const {
    const std::string_view state_class = std::string_view(sqlstate_).substr(0, 2);
    return state_class == "57" ? sqlstate_ != "57014" : state_class == "53" || sqlstate_ == "25006";
  }

 private:
  std::string query_;
  std::string sqlstate_;
};

}  // namespace rocket::pg
