#include "spec/support/cutting_proxy.h"

#include <libpq-fe.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace rocket::spec {
namespace {

using Parts = std::map<std::string, std::string>;

Parts parts_of(const std::string& url) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
  if (!options) throw std::runtime_error("not a connection string");
  Parts parts;
  for (const auto* each = options.get(); each->keyword != nullptr; ++each) {
    if (each->val != nullptr && *each->val != '\0') parts[each->keyword] = each->val;
  }
  return parts;
}

std::string url_of(const Parts& parts) {
  std::string url;
  for (const auto& [keyword, value] : parts) {
    url += keyword + "='";
    for (const char character : value) {
      if (character == '\'' || character == '\\') url += '\\';
      url += character;
    }
    url += "' ";
  }
  return url;
}

asio::generic::stream_protocol::endpoint endpoint_of(const Parts& parts) {
  const auto part = [&](const char* name, const char* otherwise) {
    const auto found = parts.find(name);
    return found == parts.end() ? std::string(otherwise) : found->second;
  };
  const std::string host = part("host", "/var/run/postgresql");
  const std::string port = part("port", "5432");
  if (host.starts_with('/')) return asio::local::stream_protocol::endpoint(host + "/.s.PGSQL." + port);
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  return asio::ip::tcp::endpoint(*resolver.resolve(host, port).begin());
}

std::uint32_t length_at(const std::vector<unsigned char>& bytes, std::size_t place) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) length = length << 8U | bytes.at(place + i);
  return length;
}

// Whether this startup message is that of a process::DatabaseCheck: its application name ends in " check".
bool is_check(const std::vector<unsigned char>& startup) {
  constexpr std::string_view kEnd(" check\0", 7);
  return std::search(startup.begin(), startup.end(), kEnd.begin(), kEnd.end()) != startup.end();
}

}  // namespace

CuttingProxy::CuttingProxy()
    : acceptor_(context_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

CuttingProxy::CuttingProxy(const std::string& database_url, Counts counts) : CuttingProxy() {
  counts_ = counts;
  Parts parts = parts_of(database_url);
  server_ = endpoint_of(parts);
  parts["host"] = "127.0.0.1";
  parts["port"] = std::to_string(acceptor_.local_endpoint().port());
  // Without encryption, so that the proxy can read every message.
  parts["sslmode"] = "disable";
  parts["gssencmode"] = "disable";
  url_ = url_of(parts);
  begin();
}

CuttingProxy::CuttingProxy(Redis server) : CuttingProxy() {
  protocol_ = Protocol::kRedis;
  begin_at(server.port, "redis");
}

CuttingProxy::CuttingProxy(RabbitMq server) : CuttingProxy() {
  protocol_ = Protocol::kRabbitMq;
  begin_at(server.port, "amqp");
}

void CuttingProxy::begin_at(std::uint16_t port, const std::string& scheme) {
  server_ = asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port);
  url_ = scheme + "://" + address();
  begin();
}

void CuttingProxy::begin() {
  asio::co_spawn(context_, accept(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

CuttingProxy::~CuttingProxy() {
  context_.stop();
  thread_.join();
}

std::string CuttingProxy::url() const { return url_; }

void CuttingProxy::after(To direction, std::size_t messages, std::function<void(CuttingProxy&)> act) {
  asio::post(context_, asio::use_future([&] {
               passed_[0] = 0;
               passed_[1] = 0;
               direction_ = direction;
               limit_ = messages;
               has_acted_ = false;
               act_ = std::move(act);
             }))
      .get();
}

void CuttingProxy::edit_answers(std::function<void(std::vector<unsigned char>&)> edit) {
  asio::post(context_, asio::use_future([&] { edit_ = std::move(edit); })).get();
}

void CuttingProxy::cut_now() {
  asio::post(context_, asio::use_future([this] { cut(); })).get();
}

bool CuttingProxy::has_acted() {
  return asio::post(context_, asio::use_future([this] { return has_acted_; })).get();
}

asio::awaitable<void> CuttingProxy::accept() {
  for (;;) {
    asio::ip::tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
    client.set_option(asio::ip::tcp::no_delay(true));
    auto link = std::make_shared<Link>(Link{Socket(std::move(client)), Socket(context_)});
    links_.push_back(link);
    asio::co_spawn(context_, carry(std::move(link)), asio::detached);
  }
}

asio::awaitable<void> CuttingProxy::carry(std::shared_ptr<Link> link) {
  try {
    co_await link->server.async_connect(server_, asio::use_awaitable);
  } catch (const std::system_error&) {
    link->client.close();
    co_return;
  }
  asio::co_spawn(context_, pass_on(link, To::kServer, true), asio::detached);
  asio::co_spawn(context_, pass_on(link, To::kClient, false), asio::detached);
}

asio::awaitable<void> CuttingProxy::pass_on(std::shared_ptr<Link> link, To direction,
                                            bool begins_with_startup) {
  Socket& from = direction == To::kServer ? link->client : link->server;
  Socket& to = direction == To::kServer ? link->server : link->client;
  try {
    Message kept;
    for (bool is_startup = begins_with_startup;; is_startup = false) {
      Message message = co_await next_message(from, is_startup, kept);
      if (is_startup) link->is_counted = !is_check(message);
      if (edit_ && direction == To::kClient) edit_(message);
      if (!may_pass(link, direction, message)) co_return;
      co_await asio::async_write(to, asio::buffer(message), asio::use_awaitable);
    }
  } catch (const std::system_error&) {
    // One end has closed, so close the other.
  }
  std::error_code ignored;
  link->client.close(ignored);
  link->server.close(ignored);
}

asio::awaitable<CuttingProxy::Message> CuttingProxy::next_message(Socket& from, bool is_startup,
                                                                  Message& kept) const {
  if (protocol_ == Protocol::kRedis) {
    const std::size_t size =
        co_await asio::async_read_until(from, asio::dynamic_buffer(kept), "\r\n", asio::use_awaitable);
    const auto end = kept.begin() + static_cast<std::ptrdiff_t>(size);
    Message line(kept.begin(), end);
    kept.erase(kept.begin(), end);
    co_return line;
  }
  if (protocol_ == Protocol::kRabbitMq) {
    // The client's first message has eight bytes. All others consist of kind, channel, length, content and
    // end.
    Message frame(is_startup ? 8 : 7);
    co_await asio::async_read(from, asio::buffer(frame), asio::use_awaitable);
    if (is_startup) co_return frame;
    const std::size_t size = length_at(frame, 3) + 1;
    frame.resize(7 + size);
    co_await asio::async_read(from, asio::buffer(frame.data() + 7, size), asio::use_awaitable);
    co_return frame;
  }
  // One byte for the kind and four for the length. Only the client's first message has no kind.
  const std::size_t kind = is_startup ? 0 : 1;
  Message message(kind + 4);
  co_await asio::async_read(from, asio::buffer(message), asio::use_awaitable);
  const std::size_t length = length_at(message, kind);
  message.resize(kind + length);
  co_await asio::async_read(from, asio::buffer(message.data() + kind + 4, length - 4), asio::use_awaitable);
  co_return message;
}

bool CuttingProxy::is_counted(const Link& link, To direction, const Message& message) const {
  if (protocol_ != Protocol::kPostgres) return true;
  const unsigned char kind = message.front();
  // The Terminate of a process that has ended may still arrive after the count was restarted.
  if (kind == 'X' || !link.is_counted) return false;
  constexpr std::string_view kPartOfAStep = "PDEHC";
  constexpr std::string_view kSaysWhatHappened = "CZER";
  switch (counts_) {
    case Counts::kAll:
      break;
    case Counts::kSteps:
      return direction == To::kServer
                 ? kPartOfAStep.find(static_cast<char>(kind)) == std::string_view::npos
                 : kSaysWhatHappened.find(static_cast<char>(kind)) != std::string_view::npos;
    case Counts::kStatements:
      return kind == (direction == To::kServer ? 'B' : 'Z');
  }
  return true;
}

// Returns false if the connection was cut before this message.
bool CuttingProxy::may_pass(const std::shared_ptr<Link>& link, To direction, const Message& message) {
  if (!is_counted(*link, direction, message)) return true;
  if (act_ && direction == direction_ && passed(direction) == limit_) {
    std::exchange(act_, nullptr)(*this);
    has_acted_ = true;
    if (!link->client.is_open()) return false;
  }
  ++passed_.at(static_cast<std::size_t>(direction));
  return true;
}

void CuttingProxy::cut() {
  for (const auto& each : links_) {
    const auto link = each.lock();
    if (!link) continue;
    std::error_code ignored;
    link->client.close(ignored);
    link->server.close(ignored);
  }
  links_.clear();
}

}  // namespace rocket::spec
