#pragma once

#include <libpq-fe.h>

#include <asio/awaitable.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "rocket/pg/connection_string.h"
#include "rocket/pg/errors.h"
#include "rocket/pg/host_names.h"
#include "rocket/pg/host_order.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

namespace rocket::pg {

struct ConnectionOptions {
  // A libpq connection string or URI.
  std::string url;
  // The name that pg_stat_activity shows.
  std::string application_name = "rocket-rides";
  // Time for all servers of the connection string together.
  std::chrono::milliseconds connect_timeout{1500};
  // Longest time that one transaction may take. One statement may take 80 % of it, and waiting for one lock
  // 25 %, unless the server's own settings (of the role, say) allow less.
  std::chrono::milliseconds transaction_timeout{5000};
  // Shared by all copies of these options.
  std::shared_ptr<HostNames> host_names = std::make_shared<HostNames>();
  std::shared_ptr<HostOrder> host_order = std::make_shared<HostOrder>();
};

// One connection to PostgreSQL, for coroutines of one single-threaded executor; not thread safe, one
// transaction at a time. Statements are prepared on first use and travel in libpq's pipeline mode: one round
// trip per transaction. After Unavailable or InDoubt the connection is dead: open a new one.
class Connection {
 public:
  // Tries the servers of the connection string in turn; those that failed before come after the others.
  // Throws Unavailable if none that accepts writes can be reached in time, or if a pooler in front of them
  // does not keep sessions.
  static asio::awaitable<std::unique_ptr<Connection>> open(ConnectionOptions options);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Runs the queries in one READ COMMITTED transaction; results come in the order of the queries. Throws
  // StatementFailed (rolled back), Unavailable (nothing happened) or InDoubt. A transaction that fails
  // because of the state of the session, such as a prepared statement that is lost or out of date, runs again
  // in a renewed session.
  asio::awaitable<std::vector<Result>> transact(std::span<const Query* const> queries);

  // The same, but it calls `before_commit` between the last query and the commit, while the rows stay locked.
  // If that throws, the transaction is rolled back and the exception passed on. It may block, for less than
  // the transaction timeout.
  using BeforeCommit = std::function<void(const std::vector<Result>&)>;
  asio::awaitable<std::vector<Result>> transact(std::span<const Query* const> queries,
                                                BeforeCommit before_commit);

  // False once the server is known to have gone.
  bool alive();

 private:
  Connection(std::shared_ptr<PGconn> connection, Keywords server, const ConnectionOptions& options,
             const asio::any_io_executor& executor);

  using Wait = asio::posix::stream_descriptor::wait_type;

  static constexpr const char* kSessionsArePooledWrongly =
      "the pooler before the database gives transactions of one session to several; it must pool sessions "
      "(PgBouncer: pool_mode = session)";

  // The connection ended while we were using it. What that means depends on what was under way.
  struct Broken : std::exception {};
  struct AwaitedReply {
    const Statement* statement;
    bool is_preparation;
  };
  struct PipelineResults {
    std::vector<Result> results;
    // The first statement that failed; those after it were not run.
    std::optional<StatementFailed> failure;
    // False when the connection broke before everything was answered.
    bool complete = false;
  };

  asio::awaitable<void> connect(std::chrono::milliseconds time_limit);
  static std::unique_ptr<Connection> start(const Keywords& server, const ConnectionOptions& options,
                                           const asio::any_io_executor& executor);
  static asio::awaitable<std::unique_ptr<Connection>> open_one(Keywords server,
                                                               const ConnectionOptions& options,
                                                               std::chrono::milliseconds time_limit);
  asio::awaitable<void> expect_own_session(std::unique_ptr<Connection> other);
  asio::awaitable<void> greet();
  asio::awaitable<void> begin_session();
  asio::awaitable<void> renew();
  asio::awaitable<Result> ask(const std::string& sql);
  asio::awaitable<PipelineResults> run_pipeline_with_renewal(std::vector<const Query*> queries);
  asio::awaitable<PipelineResults> run_pipeline(std::vector<const Query*> queries);
  asio::awaitable<void> collect(PipelineResults& pipelined, const std::vector<AwaitedReply>& expected);
  asio::awaitable<void> settle(const PipelineResults& pipelined);
  asio::awaitable<void> roll_back();
  void watch_socket();
  asio::awaitable<void> wait(Wait direction);
  asio::awaitable<bool> flush();
  asio::awaitable<std::optional<Result>> receive();
  bool plans_are_due();
  void start_deadline(std::chrono::milliseconds time_limit);
  bool send(const Statement& statement, const Params& params);
  // Makes the next connections begin at another server, if there is one.
  void add_failure_of_server() const;
  std::string last_error() const;

  // Shared with the deadline's handler, which may run after this object has gone.
  std::shared_ptr<PGconn> connection_;
  // A duplicate of libpq's socket. libpq may close its own at any time, and then another thread may get the
  // same number.
  asio::posix::stream_descriptor socket_;
  // Cuts the connection when something on it takes longer than it may.
  asio::steady_timer deadline_;
  std::chrono::milliseconds transaction_timeout_;
  // The server that this connection leads to.
  Keywords server_;
  std::shared_ptr<HostOrder> host_order_;
  // The hash of the text of each statement that is prepared; see Statement.
  std::unordered_map<std::string, std::size_t> prepared_;
  // The process id of the server process that runs our session. A pooler gives another one when it greets us.
  int session_pid_ = 0;
  bool is_pooled_ = false;
  std::uint64_t transactions_ = 0;
  std::uint64_t next_planning_ = 8;
};

}  // namespace rocket::pg
