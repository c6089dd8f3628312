#include "jobs/queues.h"

#include <fstream>
#include <variant>

#include "base/settings.h"
#include "jobs/log_queue.h"

namespace rocket::jobs {

void QueueOptions::add_to(Settings& settings) {
  using std::chrono::milliseconds;
  // Environment only: it may hold a password, and command lines are visible to others.
  settings.add_secret({"JOB_QUEUE"},
                      "where jobs go: log, which is one log line each and the default; or a Redis from which "
                      "Sidekiq takes them, redis[s]://[[user]:password@]host[:port][/database]",
                      target);
  settings.add("queue-name", {"JOB_QUEUE_NAME"}, "the queue's name among Sidekiq's", redis.queue);
  settings.add("redis-ca-file", {"REDIS_CA_FILE"},
               "certificate authorities to trust instead of the system's, with rediss://", redis.ca_file);
  // Together they stay below the 10 s in which a process has to stop.
  settings.add("redis-connect-timeout", {"REDIS_CONNECT_TIMEOUT_MS"}, "to connect and log in to Redis",
               redis.connect_timeout, milliseconds(10), milliseconds(3000));
  settings.add("redis-timeout", {"REDIS_TIMEOUT_MS"}, "for Redis to take a batch", redis.timeout,
               milliseconds(10), milliseconds(6000));
  settings.require([this] { return mistake(); });
}

std::optional<std::string> QueueOptions::mistake() {
  if (!is_redis()) return std::nullopt;
  auto address = redis_address_of(target);
  if (const auto* wrong = std::get_if<UrlMistake>(&address)) return "JOB_QUEUE " + wrong->reason;
  redis.address = std::get<RedisAddress>(std::move(address));
  if (!redis.ca_file.empty() && !std::ifstream(redis.ca_file)) return "REDIS_CA_FILE cannot be read";
  return std::nullopt;
}

std::string QueueOptions::shown() const { return is_redis() ? redis.address.shown() : target; }

std::unique_ptr<JobQueue> make_queue(const QueueOptions& options, const Log& log) {
  if (options.is_redis()) return std::make_unique<RedisQueue>(options.redis);
  return std::make_unique<LogQueue>(log);
}

}  // namespace rocket::jobs
