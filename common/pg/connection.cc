#include "rocket/pg/connection.h"

#include <sys/socket.h>

#include <asio/experimental/awaitable_operators.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <string_view>
#include <system_error>

#include "rocket/pg/errors.h"

namespace rocket::pg {
namespace {

// READ COMMITTED is enough: every statement of ours names the one row it works for and locks it first, and
// requests with different keys must never make each other fail. See docs/design.md.
constexpr Statement kBegin{"begin", "BEGIN ISOLATION LEVEL READ COMMITTED"};
constexpr Statement kCommit{"commit", "COMMIT"};
constexpr Statement kRollBack{"roll_back", "ROLLBACK"};
constexpr Statement kPlanAnew{"plan_anew", "DISCARD PLANS"};

// Fails if a pooler runs the transaction in another session than the one that we have set up.
constexpr Statement kSameSession{"same_session", "SELECT 1 / (pg_backend_pid() = $1::int)::int"};

std::string field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value == nullptr ? "" : value;
}

// After an error of any other severity, the session is over.
StatementFailed::Session session_after(const PGresult* error) {
  return field(error, PG_DIAG_SEVERITY_NONLOCALIZED) == "ERROR" ? StatementFailed::Session::kGoesOn
                                                                : StatementFailed::Session::kEnded;
}

// Does nothing once libpq has closed its socket, because PQsocket has no descriptor then.
void hang_up(const PGconn* connection) { ::shutdown(PQsocket(connection), SHUT_RDWR); }

}  // namespace

Connection::Connection(std::shared_ptr<PGconn> connection, Keywords server, const ConnectionOptions& options,
                       const asio::any_io_executor& executor)
    : connection_(std::move(connection)),
      socket_(executor),
      deadline_(executor),
      transaction_timeout_(options.transaction_timeout),
      server_(std::move(server)),
      host_order_(options.host_order) {}

Connection::~Connection() = default;

asio::awaitable<std::vector<Result>> Connection::transact(std::span<const Query* const> queries) {
  const Query begin(kBegin, {});
  const Query same_session(kSameSession, {std::to_string(session_pid_)});
  const Query plan_anew(kPlanAnew, {});
  const Query commit(kCommit, {});
  std::vector<const Query*> all;
  all.reserve(queries.size() + 4);
  all.push_back(&begin);
  if (is_pooled_) all.push_back(&same_session);
  if (plans_are_due()) all.push_back(&plan_anew);
  const auto before = static_cast<std::ptrdiff_t>(all.size());
  all.insert(all.end(), queries.begin(), queries.end());
  all.push_back(&commit);

  PipelineResults pipelined = co_await run_pipeline_with_renewal(std::move(all));
  co_await settle(pipelined);
  pipelined.results.pop_back();
  pipelined.results.erase(pipelined.results.begin(), pipelined.results.begin() + before);
  co_return std::move(pipelined.results);
}

asio::awaitable<std::vector<Result>> Connection::transact(std::span<const Query* const> queries,
                                                          BeforeCommit before_commit) {
  const Query begin(kBegin, {});
  const Query same_session(kSameSession, {std::to_string(session_pid_)});
  std::vector<const Query*> opening{&begin};
  if (is_pooled_) opening.push_back(&same_session);
  const auto before = static_cast<std::ptrdiff_t>(opening.size());
  opening.insert(opening.end(), queries.begin(), queries.end());
  PipelineResults opened = co_await run_pipeline_with_renewal(std::move(opening));
  // No COMMIT was sent, so nothing is in doubt.
  if (!opened.complete) throw Unavailable(last_error());
  co_await settle(opened);
  opened.results.erase(opened.results.begin(), opened.results.begin() + before);

  std::exception_ptr objection;
  try {
    before_commit(opened.results);
  } catch (...) {
    objection = std::current_exception();
  }
  if (objection) {
    co_await roll_back();
    std::rethrow_exception(objection);
  }
  const Query commit(kCommit, {});
  std::vector<const Query*> closing{&commit};
  PipelineResults closed = co_await run_pipeline(std::move(closing));
  co_await settle(closed);
  co_return std::move(opened.results);
}

// A prepared statement is planned once. A plan for empty tables is bad once they have grown, and autovacuum,
// which makes the server plan anew, comes only after a minute. So this connection makes the server plan anew
// whenever its number of transactions has doubled.
bool Connection::plans_are_due() {
  if (++transactions_ < next_planning_) return false;
  next_planning_ *= 2;
  return true;
}

// Turns what went wrong into the exception that says what the caller can rely on.
asio::awaitable<void> Connection::settle(const PipelineResults& pipelined) {
  if (pipelined.complete) {
    if (pipelined.failure && pipelined.failure->server_is_read_only()) {
      // Another server may accept writes, elsewhere or under the same name.
      add_failure_of_server();
      hang_up(connection_.get());
      throw Unavailable(pipelined.failure->what());
    }
    if (pipelined.failure && (pipelined.failure->query() == kSameSession.name ||
                              pipelined.failure->prepared_statement_was_lost())) {
      hang_up(connection_.get());
      throw Unavailable(kSessionsArePooledWrongly);
    }
    if (PQtransactionStatus(connection_.get()) == PQTRANS_INERROR) {
      co_await roll_back();
    }
    if (pipelined.failure) throw StatementFailed(*pipelined.failure);
    co_return;
  }
  // A statement that failed cannot have been committed, whatever became of the connection. But if the server
  // ended the session, its report may follow a commit.
  const bool certain = pipelined.failure && !pipelined.failure->ended_session();
  if (certain) throw Unavailable(last_error());
  throw InDoubt(last_error());
}

// A transaction may fail because of what the session remembers. Then it runs once more in a renewed session.
// What fails there too is not the fault of the session.
asio::awaitable<Connection::PipelineResults> Connection::run_pipeline_with_renewal(
    std::vector<const Query*> queries) {
  PipelineResults pipelined = co_await run_pipeline(queries);
  if (pipelined.complete && pipelined.failure && pipelined.failure->session_may_be_stale()) {
    co_await renew();
    pipelined = co_await run_pipeline(std::move(queries));
  }
  co_return pipelined;
}

// Sends the queries in one go, and reads all their results.
asio::awaitable<Connection::PipelineResults> Connection::run_pipeline(std::vector<const Query*> queries) {
  start_deadline(transaction_timeout_);
  std::vector<AwaitedReply> expected;
  bool sent = true;
  for (const Query* query : queries) {
    const Statement& statement = *query->statement;
    const auto [prepared, is_new] = prepared_.try_emplace(statement.name, statement.text_hash);
    if (prepared->second != statement.text_hash) {
      throw std::logic_error("two statements are called " + std::string(statement.name));
    }
    if (is_new) {
      sent = sent && PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr) == 1;
      expected.push_back({&statement, true});
    }
    sent = sent && send(statement, query->params);
    expected.push_back({&statement, false});
  }
  sent = sent && PQpipelineSync(connection_.get()) == 1;

  PipelineResults pipelined;
  // libpq may have handed a part to the kernel already, so the results stay incomplete.
  if (!sent) co_return pipelined;
  pipelined.results.reserve(queries.size());
  try {
    co_await collect(pipelined, expected);
    pipelined.complete = true;
  } catch (const Broken&) {
    // The caller looks at `complete`. The server may have gone, or may be one that cannot commit.
    add_failure_of_server();
  }
  deadline_.cancel();
  co_return pipelined;
}

asio::awaitable<void> Connection::collect(PipelineResults& pipelined,
                                          const std::vector<AwaitedReply>& expected) {
  while (!co_await flush()) {
    // The server may itself be waiting for us to read before it takes more.
    using asio::experimental::awaitable_operators::operator||;
    co_await (wait(Wait::wait_write) || wait(Wait::wait_read));
    if (PQconsumeInput(connection_.get()) == 0) throw Broken();
  }
  for (const auto& [statement, is_preparation] : expected) {
    std::optional<Result> result = co_await receive();
    if (!result) throw Broken();
    const std::optional<Result> end = co_await receive();
    if (end) throw Broken();
    const auto status = PQresultStatus(result->get());
    const bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (status == PGRES_FATAL_ERROR && !pipelined.failure) {
      pipelined.failure.emplace(statement->name, field(result->get(), PG_DIAG_SQLSTATE),
                                field(result->get(), PG_DIAG_MESSAGE_PRIMARY), session_after(result->get()));
    }
    if (is_preparation) {
      if (!done) prepared_.erase(statement->name);
      continue;
    }
    if (statement == &kCommit && done && result->command() != "COMMIT") {
      pipelined.failure.emplace(statement->name, "40000", "the transaction was rolled back");
    }
    if (done) pipelined.results.push_back(std::move(*result));
  }
  const std::optional<Result> sync = co_await receive();
  if (!sync || PQresultStatus(sync->get()) != PGRES_PIPELINE_SYNC) throw Broken();
}

// ROLLBACK is not prepared, because prepared statements may be what went wrong.
asio::awaitable<void> Connection::roll_back() {
  start_deadline(transaction_timeout_);
  const bool sent =
      PQsendQueryParams(connection_.get(), kRollBack.sql, 0, nullptr, nullptr, nullptr, nullptr, 0) == 1 &&
      PQpipelineSync(connection_.get()) == 1;
  if (!sent) throw Unavailable(last_error());
  PipelineResults pipelined;
  try {
    const std::vector<AwaitedReply> expected{{&kRollBack, false}};
    co_await collect(pipelined, expected);
  } catch (const Broken&) {
    throw Unavailable(last_error());
  }
  deadline_.cancel();
  if (pipelined.failure) throw Unavailable(pipelined.failure->what());
}

bool Connection::alive() {
  // Notices a server that has closed the connection in the meantime; does not block.
  return PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK;
}

bool Connection::send(const Statement& statement, const Params& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
  return PQsendQueryPrepared(connection_.get(), statement.name, static_cast<int>(values.size()),
                             values.data(), nullptr, nullptr, 0) == 1;
}

// True once everything has been handed to the kernel.
asio::awaitable<bool> Connection::flush() {
  const int left = PQflush(connection_.get());
  if (left < 0) throw Broken();
  co_return left == 0;
}

// Returns the next result, or nullopt at the end of one query's results.
asio::awaitable<std::optional<Result>> Connection::receive() {
  while (PQisBusy(connection_.get()) != 0) {
    co_await wait(Wait::wait_read);
    if (PQconsumeInput(connection_.get()) == 0) throw Broken();
  }
  PGresult* result = PQgetResult(connection_.get());
  if (result == nullptr) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw Broken();
    co_return std::nullopt;
  }
  co_return std::optional<Result>(std::in_place, result);
}

asio::awaitable<void> Connection::wait(Wait direction) {
  std::error_code error;
  co_await socket_.async_wait(direction, asio::redirect_error(asio::use_awaitable, error));
  // When two waits race, the loser is cancelled. That is no error.
  if (error && error != asio::error::operation_aborted) throw Broken();
}

void Connection::start_deadline(std::chrono::milliseconds time_limit) {
  deadline_.expires_after(time_limit);
  deadline_.async_wait([weak = std::weak_ptr<PGconn>(connection_)](std::error_code error) {
    const auto connection = weak.lock();
    if (error || !connection) return;
    // A coroutine that waits on the socket now finds it closed.
    hang_up(connection.get());
  });
}

void Connection::add_failure_of_server() const {
  const bool is_late = deadline_.expiry() <= std::chrono::steady_clock::now();
  host_order_->add_failure(server_, is_late ? HostOrder::Failure::kTimeOut : HostOrder::Failure::kAtOnce);
}

std::string Connection::last_error() const {
  std::string text = PQerrorMessage(connection_.get());
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace rocket::pg
