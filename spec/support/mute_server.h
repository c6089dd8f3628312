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

// A server in place of a database. It accepts connections, and then closes them or sends nothing. Thread
// safe.
class MuteServer {
 public:
  enum class Manner { kHangsUp, kSaysNothing };

  explicit MuteServer(Manner manner);
  ~MuteServer();
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;

  // Host and port, for the list of servers in a URI.
  std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  // The times at which connections came.
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
