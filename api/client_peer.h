#pragma once

#include <pistache/peer.h>

#include <string>
#include <utility>

#include "api/client_address.h"
#include "api/connection_count.h"

namespace rocket::api {

// An accepted connection. It holds its slot in the count of connections until it is destroyed.
class ClientPeer : public Pistache::Tcp::Peer {
 public:
  // `announces_client`: a proxy made the connection, and names the client first (see ProxyHeader). Until then
  // the connection counts for no address.
  ClientPeer(int descriptor, const Pistache::Address& pistache_address, const IpAddress& address,
             bool announces_client, ConnectionCount::Slot slot)
      : Peer(descriptor, pistache_address, nullptr),
        address_(address.text()),
        announces_client_(announces_client),
        slot_(std::move(slot)) {}

  // Mapped IPv4 is written as IPv4.
  const std::string& address() const { return address_; }
  bool announces_client() const { return announces_client_; }
  // Counts the connection for this client from now on. Returns false when the client has too many already.
  bool count_for(const std::string& client) { return slot_.count_for(client); }

 private:
  std::string address_;
  bool announces_client_;
  ConnectionCount::Slot slot_;
};

}  // namespace rocket::api
