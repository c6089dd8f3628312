#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/redis_address.h"

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

// One connection to a Redis. hiredis writes and reads the protocol, Asio carries it: the hiredis of Debian 12
// (0.14) knows no TLS. Calls block; not thread safe. After an exception, throw it away.
class RedisConnection {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // Connects. `ca_file`: certificate authorities to trust; empty for the system's. Throws std::runtime_error
  // when that fails, or is not done by then.
  RedisConnection(const RedisAddress& address, const std::string& ca_file, Deadline deadline);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // What Redis said to a command where it did not do it, such as "OOM command not allowed when ...".
  using Refusal = std::optional<std::string>;
  // Sends the commands at once, and returns one entry for each. Throws std::runtime_error when a reply is
  // missing by then: what was sent may have been done or not.
  std::vector<Refusal> exchange(const RedisCommands& commands, Deadline deadline);
  // True when Redis has closed it, as far as is known here. Only between exchanges.
  bool has_ended();

 private:
  asio::awaitable<void> connect(const RedisAddress& address);
  asio::awaitable<std::vector<Refusal>> send_and_receive(const RedisCommands& commands);
  // Runs it to its end, which it is driven to when it is late.
  template <typename T>
  T finish(asio::awaitable<T> work, Deadline deadline);

  asio::io_context context_{1};
  asio::ssl::context tls_context_;
  // Without TLS only the layer below is used.
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  asio::ip::tcp::resolver resolver_;
  bool tls_;
};

}  // namespace rocket::jobs
