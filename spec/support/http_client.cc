#include "spec/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::runtime_error failure(const std::string& what) { return std::runtime_error("HTTP client: " + what); }

ClientResponse parse_head(std::string_view head) {
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12)
    throw failure("not a response: " + std::string(head));
  ClientResponse response;
  response.status = std::stoi(std::string(head.substr(9, 3)));
  for (auto end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
    head.remove_prefix(end + 2);
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const auto colon = line.find(": ");
    if (colon == std::string_view::npos) throw failure("not a header field: " + std::string(line));
    response.headers.emplace_back(lower_case(std::string(line.substr(0, colon))), line.substr(colon + 2));
  }
  return response;
}

}  // namespace

ClientRequest ClientRequest::with(const std::string& name, const std::string& value) const {
  ClientRequest copy = *this;
  copy.headers.emplace_back(name, value);
  return copy;
}

std::string ClientRequest::to_bytes() const {
  std::string bytes = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
  for (const auto& [name, value] : headers) bytes.append(name).append(": ").append(value).append("\r\n");
  if (!body.empty()) bytes.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  return bytes.append("\r\n").append(body);
}

std::string ClientResponse::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return "";
}

std::size_t ClientResponse::count(std::string_view lower_name) const {
  return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(),
                                                [&](const auto& each) { return each.first == lower_name; }));
}

std::string ClientResponse::code() const {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("code") || !json["code"].is_string()) return "";
  return json["code"].get<std::string>();
}

HttpConnection::HttpConnection(std::uint16_t port, std::chrono::milliseconds limit)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), limit_(limit) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int mistake = errno;
    ::close(descriptor_);
    throw std::system_error(mistake, std::generic_category(), "connect");
  }
}

HttpConnection::~HttpConnection() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

HttpConnection::HttpConnection(HttpConnection&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      limit_(other.limit_),
      buffer_(std::move(other.buffer_)) {}

bool HttpConnection::wait(short events, Clock::time_point end) const {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd watched{descriptor_, events, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

void HttpConnection::send(std::string_view bytes) {
  const auto end = Clock::now() + limit_;
  while (!bytes.empty()) {
    if (!wait(POLLOUT, end)) throw failure("the server does not read");
    const ssize_t size = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno != EAGAIN && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "send");
    if (size > 0) bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

bool HttpConnection::read_more(Clock::time_point end) {
  std::array<char, 16384> bytes{};
  if (!wait(POLLIN, end)) throw failure("nothing comes; so far: " + buffer_);
  const ssize_t size = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
  if (size < 0) throw std::system_error(errno, std::generic_category(), "recv");
  buffer_.append(bytes.data(), static_cast<std::size_t>(size));
  return size > 0;
}

ClientResponse HttpConnection::receive(bool to_head) {
  const auto end = Clock::now() + limit_;
  std::size_t head_size = 0;
  while ((head_size = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(end)) throw failure("the connection ended; so far: " + buffer_);
  }
  ClientResponse response = parse_head(std::string_view(buffer_).substr(0, head_size));
  buffer_.erase(0, head_size + 4);
  if (to_head || response.status < 200 || response.status == 204) return response;
  if (response.count("content-length") != 1) throw failure("one Content-Length was expected");
  const auto size = static_cast<std::size_t>(std::stoull(response.header("content-length")));
  while (buffer_.size() < size) {
    if (!read_more(end)) throw failure("the connection ended within a body");
  }
  response.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return response;
}

ClientResponse HttpConnection::exchange(const ClientRequest& request) {
  send(request.to_bytes());
  return receive(request.method == "HEAD");
}

void HttpConnection::end_sending() { ::shutdown(descriptor_, SHUT_WR); }

void HttpConnection::reset() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(descriptor_, -1));
}

bool HttpConnection::ends() {
  const auto end = Clock::now() + limit_;
  if (!buffer_.empty() || !wait(POLLIN, end)) return false;
  std::array<char, 1> byte{};
  return ::recv(descriptor_, byte.data(), byte.size(), 0) == 0;
}

bool HttpConnection::has_input(std::chrono::milliseconds time) {
  return !buffer_.empty() || wait(POLLIN, Clock::now() + time);
}

ClientResponse exchange(std::uint16_t port, const ClientRequest& request) {
  return HttpConnection(port).exchange(request);
}

}  // namespace rocket::spec
