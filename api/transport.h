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
  // The memory, in bytes, for the unfinished requests of all connections of all threads, and for answers that
  // clients have not taken yet.
  std::size_t request_memory = std::size_t{48} << 20U;
  // The time from the first byte of a request to its last.
  std::chrono::milliseconds request_timeout{10'000};
  // The time between two requests.
  std::chrono::milliseconds idle_timeout{75'000};
  // The time for a client to take an answer.
  std::chrono::milliseconds write_timeout{10'000};
};

// The state that all transports of a server share, on all threads.
struct TransportState {
  std::atomic<bool> draining{false};
  // How many requests have no answer in the kernel's hands yet.
  std::atomic<std::int64_t> unfinished{0};
  // The memory that unfinished requests hold, in bytes.
  std::atomic<std::size_t> held{0};
};

// Answers a complete request. Returns the answer, or returns nullopt and posts the answer to the responses
// later. Called on a reactor thread, so it must not block.
using RequestHandler = std::function<std::optional<SerializedResponse>(
    HttpRequest, ConnectionId, const std::shared_ptr<ResponseQueue>&)>;
// Renders the answer to bytes that are no request, or only a part of one. `begun` has the fields that have
// come so far.
using RefusalRenderer =
    std::function<SerializedResponse(const RequestReader::ProtocolError&, const HttpRequest& begun)>;

// Reads requests from and writes answers to the connections of one reactor thread.
//
// Pistache runs the event loop, and Acceptor accepts the connections. Pistache's own reading and writing are
// not used: they address answers by descriptor number, so the answer to a client that has gone may reach
// another client that was given the same number. Here only the reactor thread touches a connection, and an
// answer finds it by a serial number. A connection has one request at a time; pipelined ones wait in the
// buffer, in order.
//
// A round handles the events of one call of epoll_wait. In each round, a connection reads a bounded number of
// bytes and begins one request. A connection that has more to read continues in the next round, after all
// others.
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

  // Takes over an accepted connection. Call it on the reactor thread.
  void opened(const std::shared_ptr<ClientPeer>& peer);

 private:
  using Clock = Connection::Clock;
  using Phase = Connection::Phase;

  static constexpr std::chrono::milliseconds kSweepInterval{250};

  void on_event(const Pistache::Aio::FdSet::Entry& event);
  template <typename Work>
  void guarded(const Connection& connection, const Work& work);
  // Returns null when the connection has gone.
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
  // These return false when they have closed the connection. Then it does not exist any more.
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
  // The connections that continue to read in the next round.
  std::vector<ConnectionId> turns_;
};

}  // namespace rocket::api
