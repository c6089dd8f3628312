#pragma once

#include <amqp.h>

#include <rocket/jobs/job_queue.h>
#include <rocket/jobs/rabbitmq_address.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace donations {

// Jobs of one RabbitMQ queue. A job that was neither acknowledged nor rejected comes again, perhaps to
// another process. Not thread safe. Every function throws std::runtime_error when the broker is away; then
// make a new source.
class JobSource {
 public:
  struct Delivery {
    rocket::jobs::Job job;
    std::uint64_t tag = 0;
  };

  // At most `unacknowledged` jobs are taken and not yet acknowledged.
  JobSource(const rocket::jobs::RabbitMqAddress& address, const std::string& queue,
            std::uint16_t unacknowledged);

  // Waits until there is a job, or for this time. Returns all jobs that have come.
  std::vector<Delivery> take(std::chrono::milliseconds patience);
  void acknowledge(const Delivery& delivery);
  // For a job that nobody can do. RabbitMQ drops it, or keeps it as a dead letter if the queue is set up so.
  void reject(const Delivery& delivery);

 private:
  std::unique_ptr<amqp_connection_state_t_, decltype(&amqp_destroy_connection)> connection_;
};

}  // namespace donations
