#pragma once

#include <asio/awaitable.hpp>
#include <cstdint>
#include <vector>

#include "rocket/jobs/job_queue.h"
#include "rocket/pg/query.h"
#include "rocket/pg/session.h"

namespace rocket::jobs {

// Moves staged jobs to the queue. Any number of drains may work on one database at once: each locks the jobs
// that it takes, and the others skip them.
class Drain {
 public:
  // `queue` must outlive the drain.
  Drain(pg::ConnectionOptions connection, JobQueue& queue, std::int64_t batch);

  // Moves at most one batch, oldest first, and returns its size. A job is deleted in the transaction that
  // locked it, after the queue has it. So a crash in between delivers the job twice, but never loses it.
  // Throws what the queue throws, and database errors.
  asio::awaitable<std::int64_t> run_once();
  // All statements of the above.
  static std::vector<pg::Statement> statements();

 private:
  pg::Session session_;
  JobQueue& queue_;
  std::int64_t batch_;
};

}  // namespace rocket::jobs
