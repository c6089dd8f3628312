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
  // How many requests may call the payment provider at once. Each has its own socket.
  std::size_t calls_at_once = 1536;
  // Descriptors that the process opens later for other things.
  std::size_t other_descriptors = 0;
  TransportOptions transport;
};

// The HTTP side of the process: listens, reads requests, sends answers.
class Server {
 public:
  // Starts to accept connections: as many as the options allow, or fewer, so that calls to the provider and
  // the database always have descriptors left. Create the server after everything that keeps files open.
  // Throws std::runtime_error when the address cannot be bound.
  Server(const ServerOptions& options, RequestHandler on_request, RefusalRenderer render);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return acceptor_.port(); }
  // How many connections may be open at once. Further ones are closed.
  std::size_t max_connections() const { return max_connections_; }
  // How many are open. Thread safe.
  std::size_t connections() const { return acceptor_.connections(); }

  // How many requests wait for their answers, or have an answer that is not in the kernel's hands yet.
  std::int64_t unfinished() const { return state_->unfinished.load(); }

  // New requests are still handed on, so that they can be refused with an answer; their connections close
  // after the answer. Idle connections close. Returns true once every request is answered, or false after the
  // time limit.
  bool drain(std::chrono::milliseconds time_limit);

 private:
  std::shared_ptr<TransportState> state_;
  std::size_t max_connections_;
  Pistache::Aio::Reactor reactor_;
  // Declared last, so that it hands on no connection while the other members are destroyed.
  Acceptor acceptor_;
};

}  // namespace rocket::api
