#include "pg/lane.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <iterator>
#include <random>
#include <utility>

#include "pg/errors.h"

namespace rocket::pg {
namespace {

constexpr int kRunsAlone = 3;
constexpr std::chrono::milliseconds kFirstBackoff{50};
constexpr std::chrono::milliseconds kLongestBackoff{500};

// Full jitter: processes that lost the same server must not all come back at the same moment.
std::chrono::milliseconds jittered(std::chrono::milliseconds longest) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(1, longest.count())(random));
}

std::vector<const Query*> queries_of(const Unit& unit) {
  std::vector<const Query*> queries;
  queries.reserve(unit.queries.size());
  for (const Query& query : unit.queries) queries.push_back(&query);
  return queries;
}

}  // namespace

Lane::Lane(asio::any_io_executor executor, LaneOptions options, const Log& log)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      log_(log),
      arrival_(executor_, asio::steady_timer::time_point::max()) {
  asio::co_spawn(executor_, run(), asio::detached);
}

Lane::~Lane() = default;

asio::awaitable<std::vector<Result>> Lane::commit(Unit unit) {
  if (away_) std::rethrow_exception(away_);
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable),
                                          void(std::exception_ptr, std::vector<Result>)>(
      [this](auto handler, Unit accepted) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        waiting_.push_back(
            {std::move(accepted), [shared](std::exception_ptr error, std::vector<Result> results) {
               std::move (*shared)(std::move(error), std::move(results));
             }});
        arrival_.cancel();
      },
      asio::use_awaitable, std::move(unit));
}

asio::awaitable<void> Lane::run() {
  for (;;) {
    if (waiting_.empty() && connection_) {
      std::error_code cancelled;
      co_await arrival_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
      continue;
    }
    if (!connection_ || !connection_->alive()) {
      co_await connect();
      continue;
    }
    co_await run_batch(take_batch());
  }
}

// Returns with a connection. Units that arrive during the first attempt wait for its outcome; after that the
// database is known to be away, and they are refused at once.
asio::awaitable<void> Lane::connect() {
  connection_.reset();
  for (auto backoff = kFirstBackoff;; backoff = std::min(backoff * 2, kLongestBackoff)) {
    std::string mistake;
    try {
      connection_ = co_await Connection::open(options_.connection);
      if (away_) log_.info("database is back");
      away_ = nullptr;
      co_return;
    } catch (const std::exception& error) {
      mistake = error.what();
    }
    if (!away_) log_.warn("database is away", {{"error", mistake}});
    away_ = std::make_exception_ptr(Unavailable(mistake));
    refuse_waiting(away_);
    co_await sleep(jittered(backoff));
  }
}

std::vector<Lane::Waiting> Lane::take_batch() {
  std::vector<Waiting> batch;
  while (!waiting_.empty() && batch.size() < options_.batch_limit) {
    const bool alone = waiting_.front().unit.alone;
    if (alone && !batch.empty()) break;
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    if (alone) break;
  }
  std::stable_sort(batch.begin(), batch.end(),
                   [](const Waiting& a, const Waiting& b) { return a.unit.order < b.unit.order; });
  return batch;
}

asio::awaitable<void> Lane::run_batch(std::vector<Waiting> batch) {
  std::vector<const Query*> queries;
  for (const Waiting& each : batch) {
    for (const Query& query : each.unit.queries) queries.push_back(&query);
  }
  std::exception_ptr failure;
  bool statement_failed = false;
  std::vector<Result> results;
  try {
    results = co_await connection_->transact(queries);
  } catch (const StatementFailed&) {
    statement_failed = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (statement_failed) {
    co_await run_each_alone(std::move(batch));
    co_return;
  }
  if (failure) connection_.reset();
  auto next = std::make_move_iterator(results.begin());
  for (Waiting& each : batch) {
    if (failure) {
      each.complete(failure, {});
      continue;
    }
    const auto end = next + static_cast<std::ptrdiff_t>(each.unit.queries.size());
    std::vector<Result> own(next, end);
    next = end;
    each.complete(nullptr, std::move(own));
  }
}

asio::awaitable<void> Lane::run_each_alone(std::vector<Waiting> batch) {
  for (Waiting& each : batch) {
    std::exception_ptr failure;
    std::vector<Result> results;
    const std::vector<const Query*> queries = queries_of(each.unit);
    for (int run = 1;; ++run) {
      bool again = false;
      failure = nullptr;
      try {
        if (!connection_) throw Unavailable("the connection was lost");
        results = co_await connection_->transact(queries);
      } catch (const StatementFailed& error) {
        failure = std::current_exception();
        again = error.may_pass_when_repeated() && run < kRunsAlone;
        if (!again) {
          log_.error("statement failed",
                     {{"query", error.query()}, {"sqlstate", error.sqlstate()}, {"error", error.what()}});
        }
      } catch (...) {
        failure = std::current_exception();
        connection_.reset();
      }
      if (!again) break;
    }
    each.complete(failure, std::move(results));
  }
}

asio::awaitable<void> Lane::sleep(std::chrono::milliseconds duration) {
  asio::steady_timer timer(executor_, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

void Lane::refuse_waiting(const std::exception_ptr& reason) {
  for (Waiting& each : std::exchange(waiting_, {})) each.complete(reason, {});
}

}  // namespace rocket::pg
