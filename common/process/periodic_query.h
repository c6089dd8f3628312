#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "rocket/base/log.h"
#include "rocket/pg/connection.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"
#include "rocket/pg/session.h"

namespace rocket::process {

// Asks the database the same question again and again, on a connection and a thread of its own. So it takes
// nothing from the work of the process, also when the database is slow or away. pg_stat_activity shows the
// session under the process's name and " metrics".
class PeriodicQuery {
 public:
  // Called on the thread of the query: with the result, or with null if there is none this time. Must not
  // throw.
  using OnAnswer = std::function<void(const pg::Result*)>;

  // Asks at once, and then `interval` after each answer. `log` must outlive it.
  PeriodicQuery(pg::ConnectionOptions connection, pg::Query query, std::chrono::milliseconds interval,
                const Log& log, OnAnswer on_answer);
  // Ends at once, also while the database does not answer.
  ~PeriodicQuery();
  PeriodicQuery(const PeriodicQuery&) = delete;
  PeriodicQuery& operator=(const PeriodicQuery&) = delete;

 private:
  asio::awaitable<void> run();
  asio::awaitable<void> ask();

  pg::Query query_;
  std::chrono::milliseconds interval_;
  const Log& log_;
  OnAnswer on_answer_;
  // The question cannot be answered, although the database can be reached. This is logged once.
  bool is_refused_ = false;
  asio::io_context context_{1};
  pg::Session session_;
  std::thread thread_;
};

}  // namespace rocket::process
