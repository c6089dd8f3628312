#include "api/connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "api/proxy_header.h"

namespace rocket::api {
namespace {

// The most that is read in one turn, in bytes. Many usual requests fit.
constexpr std::size_t kTurn = 16'384;
// The memory that a usual request or answer needs, in bytes. It is kept for the next one.
constexpr std::size_t kUsual = InputBuffer::kKept;

std::size_t unless_usual(std::size_t bytes) { return bytes > kUsual ? bytes : 0; }

}  // namespace

Connection::Received Connection::receive() {
  const Received received = receive_bytes();
  return take_proxy_header() ? received : Received::kBrokenOff;
}

Connection::Received Connection::receive_bytes() {
  std::array<char, kTurn> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const bool is_last = phase == Phase::kClosing || (phase == Phase::kAnswering && close_after_answer);
  const bool has_request = phase == Phase::kWorking || phase == Phase::kAnswering;
  // The kernel drops bytes that nobody needs, so they are not even copied.
  const int flags = is_last ? MSG_TRUNC : 0;
  std::size_t left = kTurn;
  while (left > 0) {
    if (has_request && !is_last && input.size() >= kTurn) return Received::kEnough;
    const ssize_t size = ::recv(id.descriptor, bytes.data(), left, flags);
    if (size > 0) {
      left -= static_cast<std::size_t>(size);
      if (!is_last) input.append({bytes.data(), static_cast<std::size_t>(size)});
    } else if (size == 0) {
      return Received::kEnd;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Received::kAll;
    } else if (errno != EINTR) {
      return Received::kBrokenOff;
    }
  }
  return Received::kTurn;
}

bool Connection::take_proxy_header() {
  if (!awaits_proxy_header) return true;
  const auto result = ProxyHeader::read(input.view());
  const auto* header = std::get_if<ProxyHeader>(&result);
  if (header == nullptr) return std::holds_alternative<ProxyHeader::NeedsMore>(result);
  if (header->client) origin_ip = header->client->text();
  input.drop(header->size);
  awaits_proxy_header = false;
  return peer->count_for(origin_ip);
}

void Connection::await_request(std::chrono::milliseconds time_limit, std::chrono::milliseconds idle_limit) {
  phase = Phase::kReading;
  request_begun = !input.empty();
  idle_since = Clock::now();
  deadline = idle_since + (request_begun ? time_limit : idle_limit);
}

void Connection::forget_request() {
  input.clear();
  reader.clear();
}

HeldMemory::Share Connection::held() const {
  const std::size_t bytes = unless_usual(input.capacity()) + unless_usual(output.capacity()) +
                            unless_usual(reader.held_bytes() + handed_on);
  return {bytes, phase == Phase::kReading || phase == Phase::kAnswering};
}

Connection::Sent Connection::send_output() {
  while (written < output.size()) {
    const ssize_t size =
        ::send(id.descriptor, output.data() + written, output.size() - written, MSG_NOSIGNAL);
    if (size >= 0) {
      written += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Sent::kPart;
    } else if (errno != EINTR) {
      return Sent::kBrokenOff;
    }
  }
  output.clear();
  written = 0;
  if (output.capacity() > kUsual) std::string().swap(output);
  return Sent::kAll;
}

}  // namespace rocket::api
