// How a connection begins.

#include <fcntl.h>

#include <asio/this_coro.hpp>
#include <cerrno>
#include <system_error>

#include "rocket/pg/connection.h"
#include "rocket/pg/connection_string.h"
#include "rocket/pg/errors.h"
#include "rocket/pg/session_settings.h"

namespace rocket::pg {
namespace {

using Clock = std::chrono::steady_clock;

// A pooler repeats what the server said at the start of the pooler's own session (in_hot_standby), perhaps
// before a promotion. So the server itself is asked.
constexpr const char* kDescribeSession =
    "SELECT pg_backend_pid() AS pid, "
    "(pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool)::int AS is_read_only";
constexpr std::chrono::milliseconds kTimeForOtherSession{250};

HostOrder::Failure failure_by(Clock::time_point deadline) {
  return Clock::now() < deadline ? HostOrder::Failure::kAtOnce : HostOrder::Failure::kTimeOut;
}

}  // namespace

std::unique_ptr<Connection> Connection::start(const Keywords& server, const ConnectionOptions& options,
                                              const asio::any_io_executor& executor) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : server) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.insert(keywords.end(), {"fallback_application_name", nullptr});
  values.insert(values.end(), {options.application_name.c_str(), nullptr});
  std::shared_ptr<PGconn> started(PQconnectStartParams(keywords.data(), values.data(), 0), PQfinish);
  // libpq would print the notices of the server past our log. What matters comes as an error too.
  PQsetNoticeProcessor(
      started.get(), [](void*, const char*) {}, nullptr);
  return std::unique_ptr<Connection>(new Connection(std::move(started), server, options, executor));
}

asio::awaitable<std::unique_ptr<Connection>> Connection::open(ConnectionOptions options) {
  std::vector<Keywords> servers = servers_in(options.url);
  options.host_order->sort(servers);
  const auto time_for_each = options.connect_timeout / static_cast<std::int64_t>(servers.size());
  std::string mistakes;
  const auto note = [&mistakes](const Unavailable& unavailable) {
    mistakes.append(mistakes.empty() ? "" : "; ").append(unavailable.what());
  };
  for (const Keywords& server : servers) {
    const auto end = Clock::now() + time_for_each;
    std::vector<Keywords> addresses{server};
    try {
      if (const std::optional<std::string> name = name_to_look_up(server)) {
        std::vector<std::string> found = co_await options.host_names->addresses_of(*name, end);
        addresses = at_addresses(server, found);
      }
    } catch (const Unavailable& unavailable) {
      options.host_order->add_failure(server, failure_by(end));
      note(unavailable);
      continue;
    }
    options.host_order->sort(addresses);
    // Each address has its share of the time, so that a silent one leaves time for the next one.
    auto left = static_cast<std::int64_t>(addresses.size());
    for (const Keywords& address : addresses) {
      const auto begin = Clock::now();
      const auto its_time = std::chrono::duration_cast<std::chrono::milliseconds>(end - begin) / left--;
      try {
        co_return co_await open_one(address, options, its_time);
      } catch (const Unavailable& unavailable) {
        options.host_order->add_failure(address, failure_by(begin + its_time));
        note(unavailable);
      }
    }
  }
  throw Unavailable(mistakes);
}

asio::awaitable<std::unique_ptr<Connection>> Connection::open_one(Keywords server,
                                                                  const ConnectionOptions& options,
                                                                  std::chrono::milliseconds time_limit) {
  const auto executor = co_await asio::this_coro::executor;
  std::unique_ptr<Connection> opened = start(server, options, executor);
  co_await opened->connect(time_limit);
  if (opened->is_pooled_) {
    std::unique_ptr<Connection> other = start(server, options, executor);
    co_await opened->expect_own_session(std::move(other));
  }
  co_return std::move(opened);
}

// A pooler that pools transactions gives our session, which is idle, to the other connection. A pooler that
// pools sessions gives it another session, or lets it wait. Other traffic may hide this, so each transaction
// also checks its session.
asio::awaitable<void> Connection::expect_own_session(std::unique_ptr<Connection> other) {
  try {
    co_await other->connect(kTimeForOtherSession);
  } catch (const Unavailable&) {
    co_return;
  }
  if (other->session_pid_ == session_pid_) throw Unavailable(kSessionsArePooledWrongly);
}

asio::awaitable<void> Connection::connect(std::chrono::milliseconds time_limit) {
  start_deadline(time_limit);
  try {
    co_await greet();
  } catch (const Broken&) {
    throw Unavailable(last_error());
  }
  deadline_.cancel();
}

asio::awaitable<void> Connection::greet() {
  PGconn* connection = connection_.get();
  if (PQstatus(connection) == CONNECTION_BAD) throw Broken();
  auto progress = PGRES_POLLING_WRITING;
  while (progress != PGRES_POLLING_OK) {
    // libpq may have gone on to another address, on another socket.
    watch_socket();
    co_await wait(progress == PGRES_POLLING_READING ? Wait::wait_read : Wait::wait_write);
    progress = PQconnectPoll(connection);
    if (progress == PGRES_POLLING_FAILED) throw Broken();
  }
  watch_socket();

  PQsetnonblocking(connection, 1);
  co_await begin_session();
  is_pooled_ = session_pid_ != PQbackendPID(connection);
}

asio::awaitable<void> Connection::begin_session() {
  const std::string set_and_ask = session_settings(transaction_timeout_) + "; " + kDescribeSession;
  const Result session = co_await ask(set_and_ask);
  if (session.integer(0, "is_read_only") != 0) throw Unavailable("the server is read-only");
  session_pid_ = static_cast<int>(session.integer(0, "pid"));
  if (PQenterPipelineMode(connection_.get()) == 0) throw Broken();
}

// Makes the session like one that has just begun.
asio::awaitable<void> Connection::renew() {
  if (PQtransactionStatus(connection_.get()) == PQTRANS_INERROR) {
    co_await roll_back();
  }
  prepared_.clear();
  start_deadline(transaction_timeout_);
  try {
    if (PQexitPipelineMode(connection_.get()) == 0) throw Broken();
    // First make sure that the session is ours: we must not change somebody else's.
    const std::string describe = kDescribeSession;
    const Result session = co_await ask(describe);
    if (session.integer(0, "pid") != session_pid_) throw Unavailable(kSessionsArePooledWrongly);
    const std::string discard = "DISCARD ALL";
    co_await ask(discard);
    co_await begin_session();
  } catch (const Broken&) {
    throw Unavailable(last_error());
  }
  deadline_.cancel();
}

// Runs the SQL and returns its last result. Not in pipeline mode.
asio::awaitable<Result> Connection::ask(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) throw Broken();
  while (!co_await flush()) {
    co_await wait(Wait::wait_write);
  }
  std::optional<Result> last;
  for (auto result = co_await receive(); result; result = co_await receive()) {
    const auto status = PQresultStatus(result->get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) throw Broken();
    last = std::move(result);
  }
  if (!last) throw Broken();
  co_return std::move(*last);
}

void Connection::watch_socket() {
  if (socket_.is_open()) socket_.close();
  const int own = ::fcntl(PQsocket(connection_.get()), F_DUPFD_CLOEXEC, 0);
  if (own < 0) throw Unavailable(std::generic_category().message(errno));
  socket_.assign(own);
}

}  // namespace rocket::pg
