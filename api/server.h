#pragma once

#include <pistache/reactor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "api/acceptor.h"
#include "api/transport.h"

namespace rocket::api {

struct ServerOptions {
  std::string address = "127.0.0.1";
  // 0: any free port.
  std::uint16_t port = 5000;
  // Reactor threads.
  std::size_t threads = 1;
  ConnectionLimits connections;
  // The proxies whose connections begin with the header of the PROXY protocol.
  TrustedProxies proxies;
  // Requests that may be with the payment provider at once, each with a socket of its own.
  std::size_t calls_at_once = 1536;
  TransportOptions transport;
};

// The HTTP side of the process: listens, reads requests, sends answers.
class Server {
 public:
  // Accepts connections from now on: as many as the options allow, or fewer, so that calls and the database
  // have descriptors left whatever clients do. Make it after what opens files for good. Throws
  // std::runtime_error when the address cannot be bound.
  Server(const ServerOptions& options, RequestHandler on_request, RefusalRenderer render);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return acceptor_.port(); }
  // Open at once; a surplus one is closed.
  std::size_t max_connections() const { return max_connections_; }

  // Requests that wait for their answers, or whose answer is not in the kernel's hands yet.
  std::int64_t unfinished() const { return state_->unfinished.load(); }

  // New requests are still handed on, so that they can be refused politely; their connections close after
  // the answer. Idle connections close. Returns when every request is answered, or after the time limit;
  // true for the former.
  bool drain(std::chrono::milliseconds time_limit);

 private:
  std::shared_ptr<TransportState> state_;
  std::size_t max_connections_;
  Pistache::Aio::Reactor reactor_;
  // Last, so that it hands on nothing while the others end.
  Acceptor acceptor_;
};

}  // namespace rocket::api
