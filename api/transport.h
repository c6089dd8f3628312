#pragma once

#include <pistache/peer.h>
#include <pistache/tcp.h>
#include <pistache/transport.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/http_message.h"
#include "api/outbox.h"
#include "api/request_reader.h"

namespace rocket::api {

struct TransportOptions {
  RequestLimits limits;
  std::size_t most_connections = 16'384;
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
};

// Answers a complete request at once, or, with nothing returned, by way of the outbox. Called on a reactor
// thread: must not block.
using RequestHandler =
    std::function<std::optional<Answer>(HttpRequest, ConnectionId, const std::shared_ptr<Outbox>&)>;
// What is answered to bytes that are no request.
using RefusalRenderer = std::function<Answer(const RequestReader::Refused&)>;

// Reads requests from and writes answers to the connections of one reactor thread.
//
// Pistache accepts connections and runs the event loop. Its own reading and writing are not used: they
// address answers by descriptor number, so that the answer to a client that has gone may reach a stranger who
// was given the same number. Here only the reactor thread touches a connection, and an answer finds it by a
// serial number. One request at a time per connection; pipelined ones wait in the buffer, in order.
class Transport : public Pistache::Tcp::Transport {
 public:
  Transport(TransportOptions options, RequestHandler on_request, RefusalRenderer render,
            std::shared_ptr<TransportState> state);
  ~Transport() override;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  std::shared_ptr<Pistache::Aio::Handler> clone() const override;
  void registerPoller(Pistache::Polling::Epoll& poller) override;
  void onReady(const Pistache::Aio::FdSet& events) override;

  // A connection was accepted; from the reactor thread.
  void opened(const std::shared_ptr<Pistache::Tcp::Peer>& peer);

 private:
  using Clock = std::chrono::steady_clock;

  enum class Phase {
    kReading,    // waits for a request, or for the rest of one
    kWorking,    // handed it on, waits for the answer
    kAnswering,  // sends the answer
    kClosing,    // has sent the last answer, and reads to the end lest a reset destroy it
  };

  struct Connection {
    std::shared_ptr<Pistache::Tcp::Peer> peer;
    ConnectionId id;
    std::string origin_ip;
    RequestReader reader;
    std::string input;
    std::string output;
    std::size_t written = 0;
    Phase phase = Phase::kReading;
    bool close_after_answer = false;
    // Something of the next request has come, if only an empty line; its time is running.
    bool request_begun = false;
    bool watches_writable = false;
    // The client will send nothing more.
    bool input_ended = false;
    // The socket may hold bytes that we chose not to read yet.
    bool input_waits = false;
    Clock::time_point deadline;

    bool holds_part_of_a_request() const { return !input.empty() || reader.awaits_body(); }
  };

  void on_event(const Pistache::Aio::FdSet::Entry& event);
  template <typename Work>
  void guarded(const Connection& connection, const Work& work);
  void pass_to_base(const Pistache::Aio::FdSet::Entry& event);
  void deliver();
  void deliver(const Outbox::Letter& letter);
  void answer(Connection& connection, const Answer& answer);
  void sweep();
  void serve(Connection& connection);
  void refuse(Connection& connection, const RequestReader::Refused& refused);
  void watch_writable(Connection& connection, bool wanted);
  void close(Connection& connection);
  // These return false when they had to close the connection, which is gone then.
  bool read(Connection& connection);
  bool send(Connection& connection, const Answer& answer);
  bool write(Connection& connection);

  TransportOptions options_;
  RequestHandler on_request_;
  RefusalRenderer render_;
  std::shared_ptr<TransportState> state_;
  std::shared_ptr<Outbox> outbox_;
  int sweep_timer_ = -1;
  std::unordered_map<int, Connection> connections_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace rocket::api
