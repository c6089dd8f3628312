#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rocket/jobs/broker_options.h"
#include "rocket/jobs/job_queue.h"
#include "rocket/jobs/rabbitmq_address.h"
#include "rocket/jobs/rabbitmq_connection.h"

namespace rocket::jobs {

struct RabbitMqOptions : BrokerOptions {
  RabbitMqAddress address;
  std::chrono::seconds heartbeat{10};
};

// Publishes to a queue of a RabbitMQ: the body is the job's arguments, message_id its id, type its name,
// timestamp when it was staged. Connects when there is something to push, and anew after every failure. Not
// thread safe.
class RabbitMqQueue : public JobQueue {
 public:
  explicit RabbitMqQueue(RabbitMqOptions options) : options_(std::move(options)) {}
  ~RabbitMqQueue() override;
  RabbitMqQueue(const RabbitMqQueue&) = delete;
  RabbitMqQueue& operator=(const RabbitMqQueue&) = delete;

  // Publishes all at once, in order. Throws std::runtime_error unless the broker has confirmed every job.
  // Even then, some jobs may be in the queue.
  void push(std::span<const Job> jobs) override;
  void keep_alive() override;

  // Makes the queue. This is done only when a person asks for it. Throws std::runtime_error when it fails.
  void create() const;

 private:
  std::unique_ptr<RabbitMqConnection> connect() const;
  std::runtime_error named(const std::string& reason) const;
  // Returns what went wrong, or nullopt.
  std::optional<std::string> publish(const std::vector<const Job*>& jobs, Confirms& confirms);

  RabbitMqOptions options_;
  std::unique_ptr<RabbitMqConnection> connection_;
  // Jobs of the last push that the broker has, although the push failed because of others. They will come
  // again and are then skipped: otherwise a queue with less room than a batch would get the same jobs for
  // ever.
  std::set<std::string> taken_;
};

}  // namespace rocket::jobs
