#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/answering.h"
#include "rocket/idempotency/request.h"
#include "rocket/pg/lanes.h"
#include "rocket/pg/query.h"

namespace rocket::api {

// The requests that wait for the end of another attempt at their key, because their clients prefer that to
// 409 (Prefer: wait). A request that waits is an object in a list: it has no lane, no coroutine and no
// thread.
//
// While some wait, one of the lanes asks the database twenty times a second what has become of their keys. So
// it does not matter which process makes the other attempt. All requests with one key share one row of that
// query, and the answer that it finds. Thread safe.
class WaitingDuplicates {
 public:
  using Waiter = std::unique_ptr<Answering>;
  // Called once for each request, on any thread: with what is known of its key, or with nullopt if the
  // request may make an attempt itself. The outcome "in progress" means that the wait is over.
  using GoOn = std::function<void(Waiter, std::optional<idempotency::Outcome>)>;

  // The lanes must outlive this object, and be stopped before it is destroyed.
  WaitingDuplicates(pg::Lanes& lanes, std::chrono::seconds lease_time, GoOn go_on)
      : lanes_(lanes), lease_time_(lease_time), go_on_(std::move(go_on)) {}

  // `key_id`: the id of the key that another attempt works on. The waiter's wait must be set.
  void add(const std::string& key_id, Waiter waiter);

  // Ends all waits, now and from now on, before their time.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  asio::awaitable<void> watch(pg::Lanes::Slot slot);
  asio::awaitable<void> look(pg::Lane& lane);
  void watch_later();
  void end_early(Waiter waiter);
  void end_overdue();
  std::vector<std::string> keys() const;
  // Takes those that have waited longest for this key.
  std::vector<Waiter> take(const std::string& key_id, std::size_t at_most);

  pg::Lanes& lanes_;
  const std::chrono::seconds lease_time_;
  const GoOn go_on_;

  mutable std::mutex mutex_;
  // By the ids of their keys. No list is empty.
  std::map<std::string, std::deque<Waiter>> waiting_;
  // A look is due, or under way.
  bool is_watching_ = false;
  bool is_stopped_ = false;
};

// What the keys with the ids $1 have come to, as far as no attempt with a valid lease works on them.
pg::Query find_ended_attempts(const std::vector<std::string>& key_ids, std::chrono::seconds lease_time);

std::vector<pg::Statement> waiting_statements();

}  // namespace rocket::api
