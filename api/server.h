#pragma once

#include <pistache/listener.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "api/transport.h"

namespace rocket::api {

struct ServerOptions {
  std::string address = "127.0.0.1";
  // 0: any free port.
  std::uint16_t port = 5000;
  // Reactor threads.
  std::size_t threads = 1;
  TransportOptions transport;
};

// The HTTP side of the process: listens, reads requests, sends answers.
class Server {
 public:
  // Accepts connections from now on. Throws std::runtime_error when the address cannot be bound.
  Server(const ServerOptions& options, RequestHandler on_request, RefusalRenderer render);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;

  // New requests are still handed on, so that they can be refused politely; their connections close after
  // the answer. Idle connections close. Returns when every request is answered, or after the time limit;
  // true for the former.
  bool drain(std::chrono::milliseconds time_limit);

 private:
  std::shared_ptr<TransportState> state_;
  Pistache::Tcp::Listener listener_;
};

}  // namespace rocket::api
