#include "spec/support/flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace rocket::spec {
namespace {

// Returns -1 if no connection can be opened now.
int open_connection(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result == 0 || errno == EINPROGRESS) return descriptor;
  ::close(descriptor);
  return -1;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN; }

}  // namespace

Flood::Flood(std::uint16_t port, int connections, Bytes bytes, std::size_t step)
    : port_(port), bytes_(std::move(bytes)), step_(step), senders_(static_cast<std::size_t>(connections)) {
  thread_ = std::thread([this] { run(); });
}

Flood::~Flood() {
  enough_ = true;
  thread_.join();
  for (const Sender& each : senders_) {
    if (each.descriptor >= 0) ::close(each.descriptor);
  }
}

void Flood::run() {
  while (!enough_) {
    std::vector<pollfd> watched;
    for (Sender& each : senders_) {
      if (each.descriptor < 0) each = {open_connection(port_), 0};
      watched.push_back({each.descriptor, POLLIN | POLLOUT, 0});
    }
    ::poll(watched.data(), watched.size(), 10);
    for (std::size_t i = 0; i < senders_.size(); ++i) {
      if (watched[i].revents != 0) go_on(senders_[i]);
    }
  }
}

void Flood::go_on(Sender& sender) {
  std::array<char, 65'536> answer{};
  const ssize_t received = ::recv(sender.descriptor, answer.data(), answer.size(), MSG_DONTWAIT);
  const bool in_first = sender.position < bytes_.first.size();
  const std::string_view whole = in_first ? bytes_.first : bytes_.again;
  const std::size_t done =
      in_first ? sender.position : (sender.position - bytes_.first.size()) % bytes_.again.size();
  const std::string_view next = whole.substr(done, step_);
  const ssize_t size = ::send(sender.descriptor, next.data(), next.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (size < 0 && !would_block()) {
    ::close(std::exchange(sender.descriptor, -1));
    return;
  }
  // A server that has closed its sending side may still read, so go on sending.
  if (received < 0 && !would_block()) {
    ::close(std::exchange(sender.descriptor, -1));
    return;
  }
  if (size <= 0) return;
  sender.position += static_cast<std::size_t>(size);
  sent_ += static_cast<std::uint64_t>(size);
}

}  // namespace rocket::spec
