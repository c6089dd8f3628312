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

// Listens, and hands on what it accepts, in a thread of its own. It stands in for Pistache's Listener, which
// neither counts connections nor waits when there is no descriptor left.
//
// A connection beyond the limits is closed at once. When accepting fails because the process or the machine
// has no descriptor or memory left, it pauses. A connection that announces its client counts for no address
// yet.
class Acceptor {
 public:
  // Called on the acceptor's thread, with a socket that does not block. The peer closes nothing itself.
  using OnAccepted = std::function<void(const std::shared_ptr<ClientPeer>&)>;

  // Binds. Port 0: any free one. Throws std::runtime_error when the address cannot be bound.
  Acceptor(const std::string& address, std::uint16_t port);
  // Accepts no more, and closes what waits to be accepted.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  std::uint16_t port() const;
  // Accepts from now on. To be called once.
  void start(ConnectionLimits limits, TrustedProxies proxies, OnAccepted on_accepted);
  // Accepts no more. May be repeated.
  void stop();

 private:
  void run();
  // False when there is no descriptor or memory left for it.
  bool accept_one();
  // False when it is told to stop. `milliseconds`: -1 for ever.
  bool wait(bool for_connections, int milliseconds) const;

  int listening_ = -1;
  int stop_event_ = -1;
  std::shared_ptr<ConnectionCount> count_;
  TrustedProxies proxies_;
  OnAccepted on_accepted_;
  std::thread thread_;
};

}  // namespace rocket::api
