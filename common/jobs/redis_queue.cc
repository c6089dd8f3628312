#include "rocket/jobs/redis_queue.h"

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "rocket/jobs/sidekiq_format.h"

namespace rocket::jobs {
namespace {

// Redis does nothing else while it takes a command, and it limits how much input may wait.
constexpr std::size_t kMaxCommandBytes = std::size_t{1} << 20U;

// Lists the queue, as Sidekiq does. Workers find the queue without this, but Sidekiq's web page does not.
void add_listing(RedisCommands& commands, const std::string& queue) {
  commands.add({"SADD", "queues", queue});
}

// Workers take from the other end of the list: the first job that is pushed is the first that is worked.
void add_pushes(RedisCommands& commands, const std::string& queue, std::span<const Job> jobs) {
  const auto now = std::chrono::system_clock::now();
  const std::string list = "queue:" + queue;
  for (std::size_t next = 0; next < jobs.size();) {
    std::vector<std::string> payloads;
    for (std::size_t size = 0; next < jobs.size() && size < kMaxCommandBytes; ++next) {
      payloads.push_back(sidekiq_payload(jobs[next], queue, now));
      size += payloads.back().size();
    }
    std::vector<std::string_view> words{"LPUSH", list};
    words.insert(words.end(), payloads.begin(), payloads.end());
    commands.add(words);
  }
}

}  // namespace

void RedisQueue::push(std::span<const Job> jobs) {
  if (jobs.empty()) return;
  // If anything goes wrong, the next try makes a new connection: after a failover it finds the new server.
  std::unique_ptr<RedisConnection> connection = std::exchange(connection_, nullptr);
  try {
    if (connection == nullptr || connection->has_ended()) connection = connect();
    RedisCommands commands;
    add_pushes(commands, options_.queue, jobs);
    add_listing(commands, options_.queue);
    std::vector<RedisConnection::Refusal> refusals =
        connection->exchange(commands, std::chrono::steady_clock::now() + options_.timeout);
    const bool listed = !refusals.back();
    refusals.pop_back();
    for (const auto& refusal : refusals) {
      if (refusal) throw std::runtime_error(*refusal);
    }
    // Redis has the jobs, so they must not come again. If the listing failed, the next connect() reports it.
    if (listed) connection_ = std::move(connection);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("Redis at " + options_.address.shown() + ": " + error.what());
  }
}

std::unique_ptr<RedisConnection> RedisQueue::connect() const {
  const RedisAddress& address = options_.address;
  const auto deadline = std::chrono::steady_clock::now() + options_.connect_timeout;
  auto connection = std::make_unique<RedisConnection>(address, options_.ca_file, deadline);
  RedisCommands commands;
  const BrokerUrl& server = address.server;
  if (!server.user.empty()) {
    commands.add({"AUTH", server.user, server.password});
  } else if (!server.password.empty()) {
    commands.add({"AUTH", server.password});
  }
  if (address.database != 0) commands.add({"SELECT", std::to_string(address.database)});
  add_listing(commands, options_.queue);
  for (const auto& refusal : connection->exchange(commands, deadline)) {
    if (refusal) throw std::runtime_error(*refusal);
  }
  return connection;
}

}  // namespace rocket::jobs
