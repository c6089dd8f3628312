#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "jobs/broker_options.h"
#include "jobs/job_queue.h"
#include "jobs/rabbitmq_address.h"
#include "jobs/rabbitmq_connection.h"

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

  // Publishes all at once, in order. Throws std::runtime_error unless the broker has confirmed every job;
  // some may be in the queue even so.
  void push(std::span<const Job> jobs) override;
  void keep_alive() override;

  // Makes the queue, which is never done unasked. Throws std::runtime_error when that fails.
  void create() const;

 private:
  std::unique_ptr<RabbitMqConnection> connect() const;
  std::runtime_error named(const std::string& reason) const;
  // What went wrong.
  std::optional<std::string> publish(const std::vector<const Job*>& jobs, Confirms& confirms);

  RabbitMqOptions options_;
  std::unique_ptr<RabbitMqConnection> connection_;
  // Of the jobs of the last push, those that the broker has, and that would come again because others failed:
  // a queue with less room than a batch would get the same ones for ever.
  std::set<std::string> taken_;
};

}  // namespace rocket::jobs
