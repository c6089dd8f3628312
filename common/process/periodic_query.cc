#include "rocket/process/periodic_query.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "rocket/pg/errors.h"

namespace rocket::process {
namespace {

pg::ConnectionOptions named(pg::ConnectionOptions connection) {
  connection.application_name += " metrics";
  return connection;
}

}  // namespace

PeriodicQuery::PeriodicQuery(pg::ConnectionOptions connection, pg::Query query,
                             std::chrono::milliseconds interval, const Log& log, OnAnswer on_answer)
    : query_(std::move(query)),
      interval_(interval),
      log_(log),
      on_answer_(std::move(on_answer)),
      session_(named(std::move(connection))) {
  asio::co_spawn(context_, run(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

PeriodicQuery::~PeriodicQuery() {
  context_.stop();
  thread_.join();
}

asio::awaitable<void> PeriodicQuery::run() {
  asio::steady_timer pause(context_);
  for (;;) {
    co_await ask();
    pause.expires_after(interval_);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> PeriodicQuery::ask() {
  std::optional<pg::Result> result;
  bool is_refused = false;
  try {
    pg::Query query = query_;
    result = co_await session_.run(std::move(query));
  } catch (const pg::StatementFailed& failed) {
    is_refused = !failed.is_temporary();
    if (is_refused && !is_refused_) {
      log_.warn("no metrics of the database", {{"query", failed.query()}, {"error", failed.what()}});
    }
  } catch (const std::exception&) {
    // The database is away. The work of the process says so.
  }
  if (result || is_refused) is_refused_ = is_refused;
  on_answer_(result ? &*result : nullptr);
}

}  // namespace rocket::process
