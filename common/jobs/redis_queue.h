#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "rocket/jobs/broker_options.h"
#include "rocket/jobs/job_queue.h"
#include "rocket/jobs/redis_address.h"
#include "rocket/jobs/redis_connection.h"

namespace rocket::jobs {

struct RedisOptions : BrokerOptions {
  RedisAddress address;
};

// Pushes to a Redis, from where Sidekiq's workers take jobs; see sidekiq_format.h. Connects when there is
// something to push, and anew after every failure. Not thread safe.
class RedisQueue : public JobQueue {
 public:
  explicit RedisQueue(RedisOptions options) : options_(std::move(options)) {}

  // Sends all at once, in order. Throws std::runtime_error unless Redis has acknowledged every job. Even
  // then, some jobs may be in the queue.
  void push(std::span<const Job> jobs) override;

 private:
  // Returns a connection that is logged in and may push.
  std::unique_ptr<RedisConnection> connect() const;

  RedisOptions options_;
  std::unique_ptr<RedisConnection> connection_;
};

}  // namespace rocket::jobs
