#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rocket/jobs/broker_stream.h"
#include "rocket/jobs/redis_address.h"

namespace rocket::jobs {

// Commands in the form in which they are sent.
class RedisCommands {
 public:
  void add(const std::vector<std::string_view>& words);

  std::size_t count() const { return count_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::size_t count_ = 0;
  std::string bytes_;
};

// One connection to a Redis. hiredis writes and reads the protocol, a BrokerStream carries it: the hiredis of
// Debian 12 (0.14) knows no TLS. Calls block; not thread safe. After an exception, throw it away.
class RedisConnection {
 public:
  using Deadline = BrokerStream::Deadline;

  // Connects. `ca_file`: certificate authorities to trust; empty for the system's. Throws std::runtime_error
  // when that fails, or is not done by the deadline.
  RedisConnection(const RedisAddress& address, const std::string& ca_file, Deadline deadline)
      : stream_(address.server, ca_file, deadline) {}

  // Redis's error if it did not do a command, such as "OOM command not allowed when ..."; else nullopt.
  using Refusal = std::optional<std::string>;
  // Sends all commands at once, and returns one entry for each. Throws std::runtime_error if a reply is
  // missing at the deadline: then the commands may have been done or not.
  std::vector<Refusal> exchange(const RedisCommands& commands, Deadline deadline);
  // True when Redis is known to have closed the connection. Only between exchanges.
  bool has_ended();

 private:
  BrokerStream stream_;
};

}  // namespace rocket::jobs
