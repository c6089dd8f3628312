#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "endpoints/endpoint.h"
#include "pg/lane.h"
#include "pg/query.h"
#include "pg/requirements.h"

namespace rocket::api {

// Whether the database has what this process needs. Logs when that changes. Thread safe.
//
// However many ask, one check is under way at a time, and what it finds out holds for a second.
class Readiness {
 public:
  // `log` must outlive it; it must go before the lanes that it is used on do, and after they have stopped.
  Readiness(const std::vector<pg::Statement>& statements, const Log& log);

  // What is missing, one sentence each; empty: ready. Runs on the lane's executor. Throws as Lane::commit
  // when the database is away.
  asio::awaitable<std::vector<std::string>> find_missing(pg::Lane& lane);
  // The next to ask causes a new check.
  void forget();
  // Checks once the database can be reached, so that the log tells what is missing before anybody asks.
  void check_at_start(pg::Lane& lane);

 private:
  using Clock = std::chrono::steady_clock;
  struct Verdict {
    std::vector<std::string> missing;
    // Set when the check came to no result.
    std::exception_ptr error;
    // Something held a lock for long: what was known before still holds.
    bool is_undecided = false;
  };

  asio::awaitable<Verdict> check(pg::Lane& lane);
  asio::awaitable<Verdict> wait_for_verdict();
  asio::awaitable<void> check_until_known(pg::Lane& lane);
  Verdict settle(Verdict verdict);

  pg::Requirements requirements_;
  const Log& log_;
  std::mutex mutex_;
  // What follows, under the mutex.
  Verdict verdict_;
  bool is_known_ = false;
  Clock::time_point good_until_{};
  bool is_under_way_ = false;
  bool is_forgotten_ = false;
  std::vector<std::function<void(const Verdict&)>> waiting_;
  // What the log knows.
  std::vector<std::string> logged_;
};

// What a process needs that answers requests with these flows.
std::vector<pg::Statement> statements_of(const endpoints::Endpoints& endpoints);

}  // namespace rocket::api
