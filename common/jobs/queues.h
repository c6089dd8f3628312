#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "rocket/base/log.h"
#include "rocket/jobs/broker_options.h"
#include "rocket/jobs/job_queue.h"
#include "rocket/jobs/rabbitmq_queue.h"
#include "rocket/jobs/redis_queue.h"

namespace rocket {
class Settings;
}

namespace rocket::jobs {

// Which job queue a process uses, and how.
struct QueueOptions {
  // "log", or the URL of a broker. It may hold a password, so it must never be shown.
  std::string target = "log";
  BrokerOptions broker;
  // Permits another machine without TLS. Then anybody on the way can read password and jobs, and change them.
  bool allow_plaintext = false;
  // The parsed target, once the settings have been read.
  std::variant<std::monostate, RedisAddress, RabbitMqAddress> address;

  // Adds JOB_QUEUE, and the flags that go with it. The options must outlive the settings.
  void add_to(Settings& settings);
  // For people to read, without user and password.
  std::string shown() const;

 private:
  // Parses the target into `address`. Returns what is wrong, or nullopt.
  std::optional<std::string> mistake();
};

std::unique_ptr<JobQueue> make_queue(const QueueOptions& options, const Log& log);

// Makes the queue at the broker, for brokers where that must be done before jobs can go there. Returns a
// message for the person who asked for it. Throws std::runtime_error when it fails.
std::string create_queue(const QueueOptions& options);

}  // namespace rocket::jobs
