#include "rocket/jobs/queues.h"

#include <cstddef>
#include <fstream>
#include <utility>

#include "rocket/base/host.h"
#include "rocket/base/settings.h"
#include "rocket/jobs/log_queue.h"

namespace rocket::jobs {
namespace {

// The longest name that RabbitMQ and AMQP allow, in bytes.
constexpr std::size_t kLongestName = 255;

bool is_plaintext_to_elsewhere(const std::variant<std::monostate, RedisAddress, RabbitMqAddress>& address) {
  const BrokerUrl* server = nullptr;
  if (const auto* redis = std::get_if<RedisAddress>(&address)) server = &redis->server;
  if (const auto* rabbitmq = std::get_if<RabbitMqAddress>(&address)) server = &rabbitmq->server;
  return server != nullptr && !server->tls && !is_loopback(server->host);
}

}  // namespace

void QueueOptions::add_to(Settings& settings) {
  using std::chrono::milliseconds;
  // Environment only: it may hold a password, and command lines are visible to others.
  settings.add_secret({"JOB_QUEUE"},
                      "where jobs go: log, which is one log line each and the default; or a Redis from which "
                      "Sidekiq takes them, redis[s]://[[user]:password@]host[:port][/database]; or a "
                      "RabbitMQ, amqp[s]://[user:password@]host[:port][/virtual host]",
                      target);
  settings.add("queue-name", {"JOB_QUEUE_NAME"}, "the queue's name at the broker", broker.queue);
  settings.add("queue-allow-plaintext", {"JOB_QUEUE_ALLOW_PLAINTEXT"},
               "permit redis:// and amqp:// to other machines, which anybody on the way can read",
               allow_plaintext);
  settings.add("queue-ca-file", {"JOB_QUEUE_CA_FILE"},
               "certificate authorities to trust instead of the system's, with rediss:// and amqps://",
               broker.ca_file);
  // The two timeouts together stay below the 10 s in which a process has to stop.
  settings.add("queue-connect-timeout", {"JOB_QUEUE_CONNECT_TIMEOUT_MS"},
               "to connect and log in to the broker", broker.connect_timeout, milliseconds(10),
               milliseconds(3000));
  settings.add("queue-timeout", {"JOB_QUEUE_TIMEOUT_MS"}, "for the broker to take a batch", broker.timeout,
               milliseconds(10), milliseconds(6000));
  settings.require([this] { return mistake(); });
}

std::optional<std::string> QueueOptions::mistake() {
  if (target == "log") return std::nullopt;
  std::optional<UrlMistake> wrong;
  const auto keep = [&](auto read) {
    if (auto* mistake = std::get_if<UrlMistake>(&read)) {
      wrong = std::move(*mistake);
    } else {
      address = std::get<0>(std::move(read));
    }
  };
  if (target.starts_with("redis")) {
    keep(redis_address_of(target));
  } else if (target.starts_with("amqp")) {
    keep(rabbitmq_address_of(target));
  } else {
    wrong = UrlMistake{"must be log, or begin with redis://, rediss://, amqp:// or amqps://"};
  }
  if (wrong) return "JOB_QUEUE " + wrong->reason;
  if (!allow_plaintext && is_plaintext_to_elsewhere(address)) {
    return "JOB_QUEUE is another machine, to which password and jobs would go unencrypted: use rediss:// or "
           "amqps://, or permit it with JOB_QUEUE_ALLOW_PLAINTEXT=on";
  }
  if (broker.queue.size() > kLongestName) return "JOB_QUEUE_NAME is longer than 255 bytes";
  if (!broker.ca_file.empty() && !std::ifstream(broker.ca_file)) return "JOB_QUEUE_CA_FILE cannot be read";
  return std::nullopt;
}

std::string QueueOptions::shown() const {
  if (const auto* redis = std::get_if<RedisAddress>(&address)) return redis->shown();
  if (const auto* rabbitmq = std::get_if<RabbitMqAddress>(&address)) return rabbitmq->shown();
  return target;
}

std::unique_ptr<JobQueue> make_queue(const QueueOptions& options, const Log& log) {
  if (const auto* redis = std::get_if<RedisAddress>(&options.address)) {
    return std::make_unique<RedisQueue>(RedisOptions{options.broker, *redis});
  }
  if (const auto* rabbitmq = std::get_if<RabbitMqAddress>(&options.address)) {
    return std::make_unique<RabbitMqQueue>(RabbitMqOptions{options.broker, *rabbitmq});
  }
  return std::make_unique<LogQueue>(log);
}

std::string create_queue(const QueueOptions& options) {
  const auto* rabbitmq = std::get_if<RabbitMqAddress>(&options.address);
  if (rabbitmq == nullptr) return "only a queue of RabbitMQ has to be made";
  RabbitMqQueue(RabbitMqOptions{options.broker, *rabbitmq}).create();
  return "there is a durable quorum queue '" + options.broker.queue + "' at " + rabbitmq->shown();
}

}  // namespace rocket::jobs
