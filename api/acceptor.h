#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "api/client_address.h"
#include "api/client_peer.h"
#include "api/connection_count.h"

namespace rocket::api {

// Listens on its own thread, and hands on each connection that it accepts. It replaces Pistache's Listener,
// which neither counts connections nor pauses when no descriptor is left.
//
// A connection beyond the limits is closed at once. The acceptor pauses when it cannot accept because the
// process or the machine has no descriptor or memory left. If a proxy will name the client of a connection,
// the connection counts for no address until then.
class Acceptor {
 public:
  // Called on the acceptor's thread, with a socket that does not block. The peer does not close the socket
  // itself.
  using OnAccepted = std::function<void(const std::shared_ptr<ClientPeer>&)>;

  // Binds the address. Port 0 means any free port. Throws std::runtime_error when the address cannot be
  // bound.
  Acceptor(const std::string& address, std::uint16_t port);
  // Stops accepting, and closes the connections that wait to be accepted.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  std::uint16_t port() const;
  // Open connections. Call it after start(). Thread safe.
  std::size_t connections() const { return count_->open(); }
  // Starts to accept. Call it once.
  void start(ConnectionLimits limits, TrustedProxies proxies, OnAccepted on_accepted);
  // Stops accepting. May be called again.
  void stop();

 private:
  void run();
  // Returns false when no descriptor or memory is left for a connection.
  bool accept_one();
  // Returns false when told to stop. `milliseconds`: -1 means no time limit.
  bool wait(bool for_connections, int milliseconds) const;

  int listening_ = -1;
  int stop_event_ = -1;
  std::shared_ptr<ConnectionCount> count_;
  TrustedProxies proxies_;
  OnAccepted on_accepted_;
  std::thread thread_;
};

}  // namespace rocket::api
