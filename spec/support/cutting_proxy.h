#pragma once

#include <array>
#include <asio/awaitable.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace rocket::spec {

// More messages than ever pass. For a run that only counts the messages.
inline constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// A proxy before a server that runs an action at a chosen message. A message is one of PostgreSQL's protocol
// (see "Frontend/Backend Protocol" in its documentation), a line of the Redis protocol or a frame of
// RabbitMQ's. Thread safe.
class CuttingProxy {
 public:
  enum class To { kServer, kClient };

  // The messages of PostgreSQL's protocol that are counted and can be chosen:
  // - kAll: every message;
  // - kSteps: only the messages that change something. From the client, these are the messages that have the
  //   server do something (for a prepared statement, only Bind, its first message). From the server, these
  //   are the messages that report success (CommandComplete, ReadyForQuery) or failure. All other messages
  //   belong to the next one: a process that dies before that one has done nothing more;
  // - kStatements: Bind, which begins each statement, and ReadyForQuery, which ends the statements that were
  //   sent together.
  //
  // Terminate is never counted. Neither is a message of a session in which a worker only checks its database
  // (process/database_check.h): such a session changes nothing.
  enum class Counts { kAll, kSteps, kStatements };

  explicit CuttingProxy(const std::string& database_url, Counts counts = Counts::kAll);
  struct Redis {
    std::uint16_t port;
  };
  explicit CuttingProxy(Redis server);
  struct RabbitMq {
    std::uint16_t port;
  };
  explicit CuttingProxy(RabbitMq server);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  // The URL of the server through this proxy.
  std::string url() const;
  // The proxy's host and port, for the list of servers in a URI.
  std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  // Restarts the count. Lets this many messages pass in this direction, over all connections together. Then
  // calls `act` once, before the next message, on the proxy's thread.
  void after(To direction, std::size_t messages, std::function<void(CuttingProxy&)> act);
  // Cuts all connections at both ends instead of passing on the next message. Later connections are not cut.
  void cut_after(To direction, std::size_t messages) {
    after(direction, messages, [](CuttingProxy& proxy) { proxy.cut(); });
  }
  // Cuts all connections. May only be called by `act`.
  void cut();
  // Calls `edit` with each message from the server before it goes to the client, on the proxy's thread.
  void edit_answers(std::function<void(std::vector<unsigned char>&)> edit);
  // Cuts all open connections. May not be called by `act`.
  void cut_now();
  // The number of messages in this direction since the count was last restarted.
  std::size_t passed(To direction) const { return passed_.at(static_cast<std::size_t>(direction)); }
  // Whether `act` has run. If it is running now, waits until it is done. May not be called by `act`.
  bool has_acted();

 private:
  using Socket = asio::generic::stream_protocol::socket;
  struct Link {
    Socket client;
    Socket server;
    bool is_counted = true;
  };

  using Message = std::vector<unsigned char>;

  CuttingProxy();
  void begin();
  void begin_at(std::uint16_t port, const std::string& scheme);
  asio::awaitable<void> accept();
  asio::awaitable<void> carry(std::shared_ptr<Link> link);
  asio::awaitable<void> pass_on(std::shared_ptr<Link> link, To direction, bool begins_with_startup);
  // `kept` holds the bytes that were read beyond the last message.
  asio::awaitable<Message> next_message(Socket& from, bool is_startup, Message& kept) const;
  bool is_counted(const Link& link, To direction, const Message& message) const;
  bool may_pass(const std::shared_ptr<Link>& link, To direction, const Message& message);

  std::string url_;
  enum class Protocol { kPostgres, kRedis, kRabbitMq };
  Protocol protocol_ = Protocol::kPostgres;
  Counts counts_ = Counts::kAll;
  asio::generic::stream_protocol::endpoint server_;
  asio::io_context context_{1};
  asio::ip::tcp::acceptor acceptor_;
  std::vector<std::weak_ptr<Link>> links_;
  std::array<std::atomic<std::size_t>, 2> passed_{};
  // Only used on the proxy's thread.
  bool has_acted_ = false;
  std::function<void(CuttingProxy&)> act_;
  std::function<void(Message&)> edit_;
  To direction_ = To::kServer;
  std::size_t limit_ = 0;
  std::thread thread_;
};

}  // namespace rocket::spec
