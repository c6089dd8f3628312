#pragma once

#include <chrono>
#include <span>
#include <string>

namespace rocket::jobs {

struct Job {
  // Stable: a job that is delivered twice carries the same id both times.
  std::string id;
  std::string name;
  // A JSON object.
  std::string args;
  // When it was staged, by the database's clock.
  std::chrono::sys_time<std::chrono::microseconds> created_at{};
  // The W3C traceparent of the request that staged the job; empty if there is none.
  std::string traceparent{};
};

// Where jobs go once their transaction has committed.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // Returns when the queue has taken responsibility for all of the jobs. Otherwise it throws, and the same
  // jobs come again: delivery is at least once. May block for a few seconds.
  virtual void push(std::span<const Job> jobs) = 0;
  // Call it now and then while there is nothing to push.
  virtual void keep_alive() {}
};

}  // namespace rocket::jobs
