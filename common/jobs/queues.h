#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "jobs/job_queue.h"
#include "jobs/redis_queue.h"

namespace rocket {
class Settings;
}

namespace rocket::jobs {

// Which job queue a process uses, and how.
struct QueueOptions {
  // "log", or the URL of a Redis. May hold a password: never to be shown.
  std::string target = "log";
  RedisOptions redis;

  // Adds JOB_QUEUE, and the flags that go with it. The options must outlive the settings.
  void add_to(Settings& settings);
  bool is_redis() const { return target != "log"; }
  // For people: without user and password.
  std::string shown() const;

 private:
  // What is wrong with the target; else it has been taken apart.
  std::optional<std::string> mistake();
};

// `log` must outlive the queue.
std::unique_ptr<JobQueue> make_queue(const QueueOptions& options, const Log& log);

}  // namespace rocket::jobs
