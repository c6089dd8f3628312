#pragma once

#include <libpq-fe.h>

#include <asio/awaitable.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "pg/errors.h"
#include "pg/query.h"
#include "pg/result.h"

namespace rocket::pg {

struct ConnectionOptions {
  // A libpq connection string or URI.
  std::string url;
  // What pg_stat_activity shows.
  std::string application_name = "rocket-rides";
  // For all the servers that the connection string names together.
  std::chrono::milliseconds connect_timeout{1500};
  // Longest time that one transaction may take. One statement may take 80 % of it, and waiting for one lock
  // 25 %, unless the server's own settings (of the role, say) allow less.
  std::chrono::milliseconds transaction_timeout{5000};
};

// One connection to PostgreSQL, for coroutines of one single-threaded executor; not thread safe, one
// transaction at a time. Statements are prepared on first use and travel in libpq's pipeline mode: one round
// trip per transaction. After Unavailable or InDoubt the connection is dead: open a new one.
class Connection {
 public:
  // Tries the servers that the connection string names, in turn. Throws Unavailable when none of them that
  // may be written to can be reached in time.
  static asio::awaitable<std::unique_ptr<Connection>> open(ConnectionOptions options);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Runs the queries in one READ COMMITTED transaction; results come in the order of the queries.
  // Throws StatementFailed (rolled back), Unavailable (nothing happened) or InDoubt.
  asio::awaitable<std::vector<Result>> transact(std::span<const Query* const> queries);

  // The same, with something done between the last query and the commit, while the rows stay locked. When
  // `before_commit` throws, the transaction is rolled back and the exception passed on. It may block, for
  // less than the transaction timeout.
  using BeforeCommit = std::function<void(const std::vector<Result>&)>;
  asio::awaitable<std::vector<Result>> transact(std::span<const Query* const> queries,
                                                BeforeCommit before_commit);

  // False once the server is known to have gone.
  bool alive();

 private:
  Connection(std::shared_ptr<PGconn> connection, const ConnectionOptions& options,
             const asio::any_io_executor& executor);

  struct Expected {
    const Statement* statement;
    bool is_preparation;
  };
  struct Exchanged {
    std::vector<Result> results;
    // The first statement that failed; those behind it were not run.
    std::optional<StatementFailed> failure;
    // False when the connection broke before everything was answered.
    bool complete = false;
  };

  asio::awaitable<void> connect(std::chrono::milliseconds time_limit);
  asio::awaitable<void> greet();
  asio::awaitable<Exchanged> exchange(std::vector<const Query*> queries);
  asio::awaitable<void> collect(Exchanged& exchanged, const std::vector<Expected>& expected);
  asio::awaitable<void> settle(const Exchanged& exchanged);
  asio::awaitable<void> roll_back();
  void watch_socket();
  asio::awaitable<void> wait(asio::posix::stream_descriptor::wait_type direction);
  asio::awaitable<bool> flush();
  asio::awaitable<std::optional<Result>> receive();
  bool plans_are_due();
  void start_deadline(std::chrono::milliseconds time_limit);
  bool send(const Statement& statement, const Params& params);
  std::string last_error() const;

  // Shared with the deadline's handler, which may run after this object has gone.
  std::shared_ptr<PGconn> connection_;
  // A duplicate: libpq closes its own when it likes, and then another thread may be given the same number.
  asio::posix::stream_descriptor socket_;
  // Cuts a connection on which something takes longer than it may.
  asio::steady_timer deadline_;
  std::chrono::milliseconds transaction_timeout_;
  std::unordered_set<std::string> prepared_;
  std::uint64_t transactions_ = 0;
  std::uint64_t next_planning_ = 8;
};

}  // namespace rocket::pg
