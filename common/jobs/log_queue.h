#pragma once

#include <chrono>

#include "rocket/base/log.h"
#include "rocket/jobs/job_queue.h"

namespace rocket::jobs {

// Writes one log line per job, at any log level, and does nothing else. A job counts as delivered when the
// operating system has its line. push() throws if nobody takes the lines.
class LogQueue : public JobQueue {
 public:
  explicit LogQueue(const Log& log) : log_(log.with_info()) {}

  void push(std::span<const Job> jobs) override;

 private:
  void flush(std::chrono::steady_clock::time_point deadline) const;

  Log log_;
};

}  // namespace rocket::jobs
