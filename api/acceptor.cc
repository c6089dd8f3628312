#include "api/acceptor.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "rocket/base/host.h"

namespace rocket::api {
namespace {

constexpr int kBacklog = 4096;
// How long it pauses when no descriptor is left.
constexpr int kPauseMs = 100;

std::runtime_error cannot_listen(const std::string& address, std::uint16_t port, const std::string& why) {
  return std::runtime_error("cannot listen on " + url_host(address) + ":" + std::to_string(port) + ": " +
                            why);
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses addresses_of(const std::string& address, std::uint16_t port) {
  const bool in_brackets = address.starts_with('[') && address.ends_with(']');
  const std::string host = in_brackets ? address.substr(1, address.size() - 2) : address;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) throw cannot_listen(address, port, ::gai_strerror(error));
  return {found, &::freeaddrinfo};
}

template <typename Bytes>
IpAddress address_of(const Bytes& bytes) {
  return IpAddress::of_bytes({reinterpret_cast<const char*>(&bytes), sizeof bytes});
}

IpAddress address_of(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? address_of(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
                                       : address_of(reinterpret_cast<const sockaddr_in&>(address).sin_addr);
}

// These errors concern one connection, which is gone (accept(2)). After other errors, such as EMFILE, the
// next try fails as well until the missing resource is free again.
bool concerns_one_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

Acceptor::Acceptor(const std::string& address, std::uint16_t port)
    : stop_event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (stop_event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  int error = 0;
  const Addresses addresses = addresses_of(address, port);
  for (const addrinfo* each = addresses.get(); each != nullptr && listening_ < 0; each = each->ai_next) {
    const int descriptor = ::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (descriptor >= 0 && ::bind(descriptor, each->ai_addr, each->ai_addrlen) == 0 &&
        ::listen(descriptor, kBacklog) == 0) {
      listening_ = descriptor;
      return;
    }
    error = errno;
    if (descriptor >= 0) ::close(descriptor);
  }
  ::close(stop_event_);
  throw cannot_listen(address, port, std::generic_category().message(error));
}

Acceptor::~Acceptor() {
  stop();
  ::close(listening_);
  ::close(stop_event_);
}

std::uint16_t Acceptor::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void Acceptor::start(ConnectionLimits limits, TrustedProxies proxies, OnAccepted on_accepted) {
  count_ = std::make_shared<ConnectionCount>(limits);
  proxies_ = std::move(proxies);
  on_accepted_ = std::move(on_accepted);
  thread_ = std::thread([this] { run(); });
}

void Acceptor::stop() {
  ::eventfd_write(stop_event_, 1);
  if (thread_.joinable()) thread_.join();
}

void Acceptor::run() {
  while (wait(true, -1)) {
    if (!accept_one() && !wait(false, kPauseMs)) return;
  }
}

bool Acceptor::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int descriptor =
      ::accept4(listening_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return errno == EAGAIN || errno == EWOULDBLOCK || concerns_one_connection(errno);
  try {
    const IpAddress peer = address_of(address);
    const bool announces_client = proxies_.announces_clients(peer);
    auto slot = count_->enter();
    if (slot && (announces_client || slot->count_for(peer.text()))) {
      const int on = 1;
      ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      on_accepted_(std::make_shared<ClientPeer>(
          descriptor, Pistache::Address::fromUnix(reinterpret_cast<sockaddr*>(&address)), peer,
          announces_client, std::move(*slot)));
      return true;
    }
  } catch (const std::exception&) {
    // At worst there is no memory left. Then only this connection is closed.
  }
  ::close(descriptor);
  return true;
}

bool Acceptor::wait(bool for_connections, int milliseconds) const {
  std::array<pollfd, 2> watched{{{stop_event_, POLLIN, 0}, {for_connections ? listening_ : -1, POLLIN, 0}}};
  ::poll(watched.data(), watched.size(), milliseconds);
  return watched[0].revents == 0;
}

}  // namespace rocket::api
