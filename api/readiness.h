#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "rocket/base/log.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/pg/lane.h"
#include "rocket/pg/query.h"
#include "rocket/pg/requirements.h"

namespace rocket::api {

// Tells whether the database has what this process needs. Logs when that changes. Thread safe.
//
// Only one check is under way at a time, however many callers ask. Its result holds for a second.
class Readiness {
 public:
  // `log` must outlive this object. Destroy this object after the lanes that it is used on have stopped, and
  // before they are destroyed.
  Readiness(const std::vector<pg::Statement>& statements, const Log& log);

  // Returns what is missing, one sentence each; empty if the database is ready. Runs on the lane's executor.
  // Throws like Lane::commit when the database is away.
  asio::awaitable<std::vector<std::string>> find_missing(pg::Lane& lane);
  // Makes the next caller start a new check.
  void forget();
  // Checks once the database can be reached, so that the log tells what is missing before anybody asks.
  void check_at_start(pg::Lane& lane);

 private:
  using Clock = std::chrono::steady_clock;
  struct Verdict {
    std::vector<std::string> missing;
    // Set when the check came to no result.
    std::exception_ptr error;
    // The check waited too long for a lock. The verdict before it still holds.
    bool is_undecided = false;
  };

  asio::awaitable<Verdict> check(pg::Lane& lane);
  asio::awaitable<Verdict> wait_for_verdict();
  asio::awaitable<void> check_until_known(pg::Lane& lane);
  Verdict settle(Verdict verdict);

  pg::Requirements requirements_;
  const Log& log_;
  std::mutex mutex_;
  // The mutex guards the members below.
  Verdict verdict_;
  bool is_known_ = false;
  Clock::time_point good_until_{};
  bool is_under_way_ = false;
  bool is_forgotten_ = false;
  std::vector<std::function<void(const Verdict&)>> waiting_;
  // What was logged as missing the last time.
  std::vector<std::string> logged_;
};

// The statements that a process needs to answer requests to these endpoints.
std::vector<pg::Statement> statements_of(const endpoints::Endpoints& endpoints);

}  // namespace rocket::api
