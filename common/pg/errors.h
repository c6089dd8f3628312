#pragma once

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// The types of errors say what the caller does next.
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
  // What became of the session.
  enum class Session { kGoesOn, kEnded };

  StatementFailed(std::string query, std::string sqlstate, const std::string& message,
                  Session session = Session::kGoesOn)
      : std::runtime_error(message),
        query_(std::move(query)),
        sqlstate_(std::move(sqlstate)),
        session_(session) {}

  // The name of the statement, as in its constant.
  const std::string& query() const { return query_; }
  // Five characters; see PostgreSQL's appendix "PostgreSQL Error Codes".
  const std::string& sqlstate() const { return sqlstate_; }

  // Serialization failure or deadlock: the same work may pass when run again at once.
  bool may_pass_when_repeated() const { return sqlstate_ == "40001" || sqlstate_ == "40P01"; }

  // Nothing is wrong with the work; the server, or a pooler before it, cannot do it now. It is stopping,
  // short of something, read-only, or had to wait too long.
  bool is_temporary() const {
    constexpr std::array<std::string_view, 5> kClasses{"08", "40", "53", "57", "58"};
    constexpr std::array<std::string_view, 3> kStates{"25006", "25P03", "55P03"};
    const std::string_view state = sqlstate_;
    return std::find(kClasses.begin(), kClasses.end(), state.substr(0, 2)) != kClasses.end() ||
           std::find(kStates.begin(), kStates.end(), state) != kStates.end();
  }

  // A prepared statement of ours is missing, or its name was in use before we prepared it.
  bool prepared_statement_was_lost() const { return sqlstate_ == "26000" || sqlstate_ == "42P05"; }

  // The cause may be what the session remembers: prepared statements, and plans made before a table was
  // altered ("cached plan must not change result type", "cache lookup failed").
  bool session_may_be_stale() const {
    return prepared_statement_was_lost() || sqlstate_ == "0A000" || sqlstate_ == "XX000";
  }

  // It waited too long for a lock or for anything else.
  bool waited_too_long() const { return sqlstate_ == "55P03" || sqlstate_ == "57014"; }

  // A standby, or a primary that was demoted: no use to us, now or later.
  bool server_is_read_only() const { return sqlstate_ == "25006"; }

  // The server ended the session with this report, which may follow a commit.
  bool ended_session() const { return session_ == Session::kEnded; }

 private:
  std::string query_;
  std::string sqlstate_;
  Session session_;
};

}  // namespace rocket::pg
