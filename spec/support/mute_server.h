#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rocket::spec {

// What is left where a database was: it accepts connections, and hangs up or says nothing. Thread safe.
class MuteServer {
 public:
  enum class Manner { kHangsUp, kSaysNothing };

  explicit MuteServer(Manner manner);
  ~MuteServer();
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;

  // In the list of servers of a URI.
  std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  // When connections came.
  std::vector<std::chrono::steady_clock::time_point> arrivals() const;

 private:
  asio::awaitable<void> accept();

  Manner manner_;
  asio::io_context context_{1};
  asio::ip::tcp::acceptor acceptor_;
  std::vector<asio::ip::tcp::socket> kept_;
  mutable std::mutex mutex_;
  std::vector<std::chrono::steady_clock::time_point> arrivals_;
  std::thread thread_;
};

}  // namespace rocket::spec
