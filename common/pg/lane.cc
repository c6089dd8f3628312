#include "rocket/pg/lane.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <utility>

#include "rocket/base/backoff.h"
#include "rocket/pg/errors.h"

namespace rocket::pg {
namespace {

constexpr int kRunsAlone = 3;
constexpr std::chrono::milliseconds kFirstBackoff{50};
constexpr std::chrono::milliseconds kLongestBackoff{500};
// How long the units of a failed batch run alone. After that, the first one that waits in vain ends the
// batch, and the rest is refused.
constexpr std::chrono::milliseconds kTimeAlone{250};

// A unit that runs alone has waited for its locks before, in the batch, and the rest of the batch waits
// behind it.
constexpr Statement kShortLockWait{"short_lock_wait", "SET LOCAL lock_timeout = '50ms'"};

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
        waiting_.add({std::move(accepted), [shared](std::exception_ptr error, std::vector<Result> results) {
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
    std::vector<Work> batch = waiting_.take_batch(options_.batch_limit);
    std::sort(batch.begin(), batch.end(),
              [](const Work& a, const Work& b) { return a.unit.lock_key < b.unit.lock_key; });
    co_await run_batch(std::move(batch));
  }
}

// Returns once there is a connection. Units that arrive during the first attempt wait for its outcome. After
// that the database is known to be away, and units are refused at once.
asio::awaitable<void> Lane::connect() {
  disconnect();
  const auto end_attempt = [this] {
    has_tried_ = true;
    has_tried_.notify_all();
  };
  for (Backoff backoff(kFirstBackoff, kLongestBackoff);;) {
    asio::steady_timer patience(executor_, options_.connect_patience);
    patience.async_wait([this](std::error_code ended) {
      if (!ended && !connection_) refuse_until_connected("connecting takes long");
    });
    std::string mistake;
    try {
      connection_ = co_await Connection::open(options_.connection);
      if (options_.observer != nullptr) options_.observer->connected();
      if (away_) log_.info("database is back");
      away_ = nullptr;
      is_away_ = false;
      end_attempt();
      co_return;
    } catch (const std::exception& error) {
      mistake = error.what();
    }
    refuse_until_connected(mistake);
    end_attempt();
    co_await sleep(backoff.next());
  }
}

void Lane::disconnect() {
  if (connection_ && options_.observer != nullptr) options_.observer->disconnected();
  connection_.reset();
}

void Lane::refuse_until_connected(const std::string& mistake) {
  if (!away_) log_.warn("database is away", {{"error", mistake}});
  away_ = std::make_exception_ptr(Unavailable(mistake));
  is_away_ = true;
  refuse_waiting(away_);
}

asio::awaitable<std::vector<std::vector<Result>>> Lane::transact(std::vector<const Unit*> units,
                                                                 LockWait lock_wait) {
  if (!connection_) throw Unavailable("the connection was lost");
  const std::size_t size = units.size();
  const Batch batch(std::move(units));
  std::vector<const Query*> queries = batch.queries();
  const Query short_lock_wait(kShortLockWait, {});
  const bool waits_shortly = lock_wait == LockWait::kShort;
  if (waits_shortly) queries.insert(queries.begin(), &short_lock_wait);
  const auto since = std::chrono::steady_clock::now();
  std::vector<Result> results = co_await connection_->transact(queries);
  if (options_.observer != nullptr) {
    options_.observer->committed(size, std::chrono::steady_clock::now() - since);
  }
  if (waits_shortly) results.erase(results.begin());
  co_return batch.share_out(results);
}

asio::awaitable<void> Lane::run_batch(std::vector<Work> batch) {
  std::vector<const Unit*> units;
  units.reserve(batch.size());
  for (const Work& each : batch) units.push_back(&each.unit);
  std::exception_ptr failure;
  bool again = false;
  std::vector<std::vector<Result>> results(batch.size());
  try {
    results = co_await transact(std::move(units), LockWait::kNormal);
  } catch (const StatementFailed& error) {
    again = batch.size() > 1 || error.may_pass_when_repeated();
    failure = std::current_exception();
    if (!again && !batch.front().unit.is_probe) log_failure(error, batch.front().unit);
  } catch (...) {
    failure = std::current_exception();
    disconnect();
  }
  if (again) {
    co_await run_each_alone(std::move(batch));
    co_return;
  }
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].complete(failure, std::move(results[i]));
}

asio::awaitable<void> Lane::run_each_alone(std::vector<Work> batch) {
  const auto end = std::chrono::steady_clock::now() + kTimeAlone;
  std::exception_ptr given_up;
  for (Work& each : batch) {
    std::exception_ptr failure = given_up;
    std::vector<std::vector<Result>> results(1);
    for (int run = 1; !given_up; ++run) {
      bool again = false;
      failure = nullptr;
      try {
        std::vector<const Unit*> itself(1, &each.unit);
        results = co_await transact(std::move(itself), LockWait::kShort);
      } catch (const StatementFailed& error) {
        failure = std::current_exception();
        again = error.may_pass_when_repeated() && run < kRunsAlone;
        if (!again) log_failure(error, each.unit);
        if (error.waited_too_long() && std::chrono::steady_clock::now() > end) given_up = failure;
      } catch (...) {
        failure = std::current_exception();
        disconnect();
      }
      if (!again) break;
    }
    each.complete(failure, std::move(results.front()));
  }
}

void Lane::log_failure(const StatementFailed& error, const Unit& unit) {
  const RequestIds& ids = ids_or_none(unit.ids);
  const auto write = [&](auto at_level) {
    (log_.*at_level)("statement failed",
                     {{"query", error.query()},
                      {"sqlstate", error.sqlstate()},
                      {"error", error.what()},
                      ids.request_field(),
                      ids.key_field(),
                      ids.trace_field()},
                     {});
  };
  // The level "error" is for what a person must look at.
  write(error.is_temporary() ? &Log::warn : &Log::error);
}

asio::awaitable<void> Lane::sleep(std::chrono::milliseconds duration) {
  asio::steady_timer timer(executor_, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

void Lane::refuse_waiting(const std::exception_ptr& reason) {
  for (Work& each : waiting_.take_all()) each.complete(reason, {});
}

}  // namespace rocket::pg
