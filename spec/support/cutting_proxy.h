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

// So many messages never pass: for a run in which they are only counted.
inline constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

// A way to a server on which something happens at a chosen message: of PostgreSQL's protocol (its
// documentation calls them so in "Frontend/Backend Protocol"), a line of Redis's, or a frame of RabbitMQ's.
// Thread safe.
class CuttingProxy {
 public:
  enum class To { kServer, kClient };

  // Which messages are counted, and may be the chosen one, with PostgreSQL:
  // - kAll;
  // - kSteps: those after which something has happened that had not before. That is each that has the server
  // do
  //   something (of a prepared statement, the first of its messages: Bind), and each in which the server says
  //   that something is done (CommandComplete, ReadyForQuery) or has failed. Between these come only messages
  //   that belong to the next one, and whoever is gone before that has done nothing more;
  // - kStatements: those before each statement (Bind), and after the last of those sent together
  //   (ReadyForQuery).
  //
  // A farewell (Terminate) is never counted, nor is anything of a session in which a worker only checks its
  // database (process/database_check.h): that changes nothing, and says as much as all the worker's
  // statements together.
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

  // The same server, by way of this proxy.
  std::string url() const;
  // Itself, in the list of servers of a URI.
  std::string address() const { return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  // Counts anew from here. Of the messages that go this way, over all connections, so many still pass; before
  // the next one the proxy does what it is told, once, on its own thread.
  void after(To direction, std::size_t messages, std::function<void(CuttingProxy&)> act);
  // Cuts all connections, at both ends, instead of passing on the message after these. Connections made later
  // hold.
  void cut_after(To direction, std::size_t messages) {
    after(direction, messages, [](CuttingProxy& proxy) { proxy.cut(); });
  }
  // For use in the above.
  void cut();
  // Each message of the server goes through this on its way to the client, on the proxy's thread.
  void edit_answers(std::function<void(std::vector<unsigned char>&)> edit);
  // Cuts all connections there are; for use elsewhere.
  void cut_now();
  // Messages that went this way since it last began to count.
  std::size_t passed(To direction) const { return passed_.at(static_cast<std::size_t>(direction)); }
  // Whether it came to what was to happen. If that is happening just now, returns when it is done. Not for
  // use in the above.
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
  // `kept` is what was read beyond the last message.
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
  // On the proxy's thread.
  bool has_acted_ = false;
  std::function<void(CuttingProxy&)> act_;
  std::function<void(Message&)> edit_;
  To direction_ = To::kServer;
  std::size_t limit_ = 0;
  std::thread thread_;
};

}  // namespace rocket::spec
