#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/log.h"
#include "jobs/broker_options.h"
#include "jobs/job_queue.h"
#include "jobs/rabbitmq_queue.h"
#include "jobs/redis_queue.h"

namespace rocket {
class Settings;
}

namespace rocket::jobs {

// Which job queue a process uses, and how.
struct QueueOptions {
  // "log", or the URL of a broker. May hold a password: never to be shown.
  std::string target = "log";
  BrokerOptions broker;
  // To another machine without TLS: whoever is on the way reads password and jobs, and can change them.
  bool allow_plaintext = false;
  // What the target says, once the settings have been read.
  std::variant<std::monostate, RedisAddress, RabbitMqAddress> address;

  // Adds JOB_QUEUE, and the flags that go with it. The options must outlive the settings.
  void add_to(Settings& settings);
  // For people: without user and password.
  std::string shown() const;

 private:
  // What is wrong; else the target has been taken apart.
  std::optional<std::string> mistake();
};

std::unique_ptr<JobQueue> make_queue(const QueueOptions& options, const Log& log);

// Makes the queue at the broker, where it has to be made before jobs can go there. Returns what to tell who
// asked for it; throws std::runtime_error when it fails.
std::string create_queue(const QueueOptions& options);

}  // namespace rocket::jobs
