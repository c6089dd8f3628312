#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "rocket/jobs/broker_url.h"

namespace rocket::jobs {

// A TCP connection to a broker, with TLS or without, that never waits longer than it is told to. Calls block;
// not thread safe. Every call throws std::runtime_error when the connection has ended or the broker is late;
// after that, throw it away.
class BrokerStream {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  using Endpoints = asio::ip::tcp::resolver::results_type;

  // Connects. `ca_file`: certificate authorities to trust; empty for the system's.
  BrokerStream(const BrokerUrl& url, const std::string& ca_file, Deadline deadline);
  ~BrokerStream();
  BrokerStream(const BrokerStream&) = delete;
  BrokerStream& operator=(const BrokerStream&) = delete;

  // Writes all of the bytes.
  void write(std::string_view bytes, Deadline deadline);
  // Reads at least one byte. Returns how many were read.
  std::size_t read(std::span<char> bytes, Deadline deadline);
  // Reads what is there already. Returns 0 if there is nothing.
  std::size_t read_at_once(std::span<char> bytes);

 private:
  asio::awaitable<void> connect(const BrokerUrl& url, const Endpoints& endpoints);
  asio::awaitable<std::size_t> write_all(std::string_view bytes);
  asio::awaitable<std::size_t> read_some(std::span<char> bytes);
  void close();
  // Runs the work to its end. If the work is late, closes the connection, which ends the work.
  template <typename T>
  T finish(asio::awaitable<T> work, Deadline deadline);

  asio::io_context context_{1};
  asio::ssl::context tls_context_;
  // Without TLS only the layer below is used.
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  bool tls_;
};

}  // namespace rocket::jobs
