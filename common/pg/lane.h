#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "rocket/base/log.h"
#include "rocket/pg/batch.h"
#include "rocket/pg/connection.h"
#include "rocket/pg/lane_observer.h"
#include "rocket/pg/work_queue.h"

namespace rocket::pg {

struct LaneOptions {
  ConnectionOptions connection;
  // Most units in one transaction.
  std::size_t batch_limit = 64;
  // Units that wait for a connection longer than this are refused; connecting goes on.
  std::chrono::milliseconds connect_patience{500};
  // Null for none. Must outlive the lane.
  LaneObserver* observer = nullptr;
};

// Group commit. One connection takes whatever units wait, up to the limit, and sends them as one pipelined
// transaction: one commit and one round trip for all of them. Nobody waits for a batch to fill: while one
// batch is under way, the next one gathers.
//
// A batch holds the unit that has waited longest and others with the same statements, so a set statement runs
// once for all of them; see WorkQueue.
//
// If any statement fails, the batch is rolled back and each of its units runs again alone, so that a bad one
// hurts only itself. So a unit must be safe to run again after a rollback. If several units wait in vain for
// a lock, the rest of the batch is refused untried, so that later units do not wait long.
//
// Everything happens on one single-threaded executor; use it from there only, unless a function says that it
// is thread safe.
class Lane {
 public:
  // `log` must outlive the lane.
  Lane(asio::any_io_executor executor, LaneOptions options, const Log& log);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Returns once the unit is committed, with its results in order. Throws StatementFailed (rolled back),
  // Unavailable (nothing happened; at once while the database is known to be away) or InDoubt.
  asio::awaitable<std::vector<Result>> commit(Unit unit);

  const asio::any_io_executor& executor() const { return executor_; }
  // True if units would be refused at once. Thread safe.
  bool is_away() const { return is_away_.load(); }
  // Blocks until the lane's first attempt to connect has ended, well or not. Thread safe.
  void wait_for_first_attempt() const { has_tried_.wait(false); }

 private:
  asio::awaitable<void> run();
  asio::awaitable<void> connect();
  void disconnect();
  asio::awaitable<void> run_batch(std::vector<Work> batch);
  asio::awaitable<void> run_each_alone(std::vector<Work> batch);
  asio::awaitable<void> sleep(std::chrono::milliseconds duration);
  enum class LockWait { kNormal, kShort };
  asio::awaitable<std::vector<std::vector<Result>>> transact(std::vector<const Unit*> units,
                                                             LockWait lock_wait);
  void refuse_until_connected(const std::string& mistake);
  void log_failure(const StatementFailed& error, const Unit& unit);
  void refuse_waiting(const std::exception_ptr& reason);

  asio::any_io_executor executor_;
  LaneOptions options_;
  const Log& log_;
  std::unique_ptr<Connection> connection_;
  // Set while the database is known to be away.
  std::exception_ptr away_;
  std::atomic<bool> is_away_{false};
  std::atomic<bool> has_tried_{false};
  WorkQueue waiting_;
  // Never expires; cancelled when work arrives.
  asio::steady_timer arrival_;
};

}  // namespace rocket::pg
