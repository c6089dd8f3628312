#pragma once

#include "base/log.h"
#include "jobs/job_queue.h"

namespace rocket::jobs {

// Writes one log line per job and lets that be all.
class LogQueue : public JobQueue {
 public:
  // `log` must outlive the queue.
  explicit LogQueue(const Log& log) : log_(log) {}

  void push(std::span<const Job> jobs) override;

 private:
  const Log& log_;
};

}  // namespace rocket::jobs
