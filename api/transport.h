#pragma once

#include <pistache/tcp.h>
#include <pistache/transport.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "api/connection.h"
#include "api/held_memory.h"
#include "api/http_message.h"
#include "api/periodic_timer.h"
#include "api/request_reader.h"
#include "api/response_queue.h"

namespace rocket::api {

struct TransportOptions {
  RequestLimits limits;
  // In bytes, for the unfinished requests of all connections of all threads, and for answers that clients do
  // not take.
  std::size_t request_memory = std::size_t{48} << 20U;
  // From the first byte of a request to its last.
  std::chrono::milliseconds request_timeout{10'000};
  // Between requests.
  std::chrono::milliseconds idle_timeout{75'000};
  // For a client to take an answer.
  std::chrono::milliseconds write_timeout{10'000};
};

// What the server as a whole knows of its transports; shared by all threads.
struct TransportState {
  std::atomic<bool> draining{false};
  // Requests whose answer is not in the kernel's hands yet.
  std::atomic<std::int64_t> unfinished{0};
  // What unfinished requests hold, in bytes.
  std::atomic<std::size_t> held{0};
};

// Answers a complete request at once, or, with nothing returned, by way of the responses. Called on a reactor
// thread: must not block.
using RequestHandler = std::function<std::optional<SerializedResponse>(
    HttpRequest, ConnectionId, const std::shared_ptr<ResponseQueue>&)>;
// What is answered to bytes that are no request, or no whole one, given its fields as far as they have come.
using RefusalRenderer =
    std::function<SerializedResponse(const RequestReader::ProtocolError&, const HttpRequest& begun)>;

// Reads requests from and writes answers to the connections of one reactor thread.
//
// Pistache runs the event loop, and Acceptor accepts the connections. Pistache's own reading and writing are
// not used: they address answers by descriptor number, so that the answer to a client that has gone may reach
// a stranger who was given the same number. Here only the reactor thread touches a connection, and an answer
// finds it by a serial number. One request at a time per connection; pipelined ones wait in the buffer, in
// order.
//
// A round is what one call of epoll_wait returns. In each, a connection reads a bounded number of bytes and
// begins one request. One that has more to read goes on in the next round, after all others.
class Transport : public Pistache::Tcp::Transport {
 public:
  Transport(TransportOptions options, RequestHandler on_request, RefusalRenderer render,
            std::shared_ptr<TransportState> state);
  ~Transport() override = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  std::shared_ptr<Pistache::Aio::Handler> clone() const override;
  void registerPoller(Pistache::Polling::Epoll& poller) override;
  void onReady(const Pistache::Aio::FdSet& events) override;

  // A connection was accepted; from the reactor thread.
  void opened(const std::shared_ptr<ClientPeer>& peer);

 private:
  using Clock = Connection::Clock;
  using Phase = Connection::Phase;

  static constexpr std::chrono::milliseconds kSweepInterval{250};

  void on_event(const Pistache::Aio::FdSet::Entry& event);
  template <typename Work>
  void guarded(const Connection& connection, const Work& work);
  // Null when it has gone.
  Connection* find(const ConnectionId& id);
  void count_memory(Connection& connection);
  void give_up(Connection& connection);
  void pass_to_base(const Pistache::Aio::FdSet::Entry& event);
  void deliver();
  void deliver(const ResponseQueue::Entry& entry);
  void answer(Connection& connection, const SerializedResponse& answer);
  void sweep();
  void await_turn(Connection& connection);
  void take_turn(const ConnectionId& id);
  void serve(Connection& connection);
  void refuse(Connection& connection, const RequestReader::ProtocolError& refused);
  void watch_writable(Connection& connection, bool wanted);
  void close(Connection& connection);
  // These return false when they had to close the connection, which is gone then.
  bool read(Connection& connection);
  bool send(Connection& connection, const SerializedResponse& answer);
  bool write(Connection& connection);

  TransportOptions options_;
  RequestHandler on_request_;
  RefusalRenderer render_;
  std::shared_ptr<TransportState> state_;
  HeldMemory memory_;
  std::shared_ptr<ResponseQueue> responses_;
  PeriodicTimer sweep_timer_{kSweepInterval};
  std::unordered_map<int, Connection> connections_;
  std::uint64_t next_serial_ = 1;
  // Those that read on in the next round.
  std::vector<ConnectionId> turns_;
};

}  // namespace rocket::api
