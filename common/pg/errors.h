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

  // Serialization failure or deadlock: the same work may pass when run again at once.
  bool may_pass_when_repeated() const { return sqlstate_ == "40001" || sqlstate_ == "40P01"; }

  // Nothing is wrong with the work; the server cannot do it now. It is stopping, short of something,
  // read-only, or had to wait too long.
  bool is_temporary() const {
    const std::string_view state_class = std::string_view(sqlstate_).substr(0, 2);
    return state_class == "40" || state_class == "53" || state_class == "57" || state_class == "58" ||
           sqlstate_ == "55P03" || sqlstate_ == "25006";
  }

  // The server ended the session with this report, which may follow a commit.
  bool ended_session() const { return sqlstate_.starts_with("57P"); }

 private:
  std::string query_;
  std::string sqlstate_;
};

}  // namespace rocket::pg
