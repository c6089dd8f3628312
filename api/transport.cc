#include "api/transport.h"

#include <sys/socket.h>

#include <utility>
#include <variant>

namespace rocket::api {
namespace {

namespace Polling = Pistache::Polling;

constexpr std::chrono::milliseconds kLinger{2000};

// Tells the transport of new connections. Pistache's reading and writing is not used.
class AcceptHandler : public Pistache::Tcp::Handler {
  PROTOTYPE_OF(Pistache::Tcp::Handler, AcceptHandler)

 public:
  void onConnection(const std::shared_ptr<Pistache::Tcp::Peer>& peer) override {
    static_cast<Transport*>(transport())->opened(std::static_pointer_cast<ClientPeer>(peer));
  }
  void onInput(const char* /*buffer*/, size_t /*size*/,
               const std::shared_ptr<Pistache::Tcp::Peer>& /*peer*/) override {}
};

}  // namespace

Transport::Transport(TransportOptions options, RequestHandler on_request, RefusalRenderer render,
                     std::shared_ptr<TransportState> state)
    : Pistache::Tcp::Transport(std::make_shared<AcceptHandler>()),
      options_(options),
      on_request_(std::move(on_request)),
      render_(std::move(render)),
      state_(std::move(state)),
      memory_(state_->held, options_.request_memory),
      responses_(std::make_shared<ResponseQueue>()) {}

std::shared_ptr<Pistache::Aio::Handler> Transport::clone() const {
  return std::make_shared<Transport>(options_, on_request_, render_, state_);
}

void Transport::registerPoller(Polling::Epoll& poller) {
  Pistache::Tcp::Transport::registerPoller(poller);
  const auto watch = [&](int descriptor) {
    poller.addFd(descriptor, Pistache::Flags<Polling::NotifyOn>(Polling::NotifyOn::Read),
                 Polling::Tag(static_cast<std::uint64_t>(descriptor)));
  };
  watch(responses_->descriptor());
  watch(sweep_timer_.descriptor());
}

void Transport::onReady(const Pistache::Aio::FdSet& events) {
  const auto turns = std::exchange(turns_, {});
  for (const auto& event : events) {
    try {
      on_event(event);
    } catch (const std::exception&) {
      // An exception that left here would end the process. One cause is "unknown fd", for a connection that
      // was closed earlier in this round.
    }
  }
  for (const ConnectionId& id : turns) take_turn(id);
  // Sockets are edge-triggered, so epoll does not report again what waits in them.
  if (!turns_.empty()) responses_->wake();
}

void Transport::on_event(const Pistache::Aio::FdSet::Entry& event) {
  const int descriptor = static_cast<int>(event.getTag().value());
  if (descriptor == responses_->descriptor()) return deliver();
  if (descriptor == sweep_timer_.descriptor()) return sweep();
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return pass_to_base(event);
  Connection& connection = found->second;
  guarded(connection, [&] {
    // One event may be both readable and writable. Stop if write() has closed the connection.
    if (event.isWritable() && !write(connection)) return;
    if (!connection.awaits_turn && read(connection)) serve(connection);
  });
}

// At worst there is no memory left. Then only this connection is closed.
template <typename Work>
void Transport::guarded(const Connection& connection, const Work& work) {
  const ConnectionId id = connection.id;
  try {
    work();
    if (Connection* still = find(id)) {
      if (still->may_have_left()) responses_->note_end(id);
      count_memory(*still);
    }
  } catch (const std::exception&) {
    if (Connection* still = find(id)) close(*still);
  }
}

Connection* Transport::find(const ConnectionId& id) {
  const auto found = connections_.find(id.descriptor);
  return found == connections_.end() || found->second.id.serial != id.serial ? nullptr : &found->second;
}

// The connection may be gone afterwards.
void Transport::count_memory(Connection& connection) {
  memory_.change(connection.id, connection.counted, connection.held());
  while (const auto chosen = memory_.to_give_up()) give_up(*find(*chosen));
}

void Transport::give_up(Connection& connection) {
  if (connection.phase != Phase::kReading) return close(connection);
  const ConnectionId id = connection.id;
  refuse(connection, {503, "overloaded", "Unfinished requests hold too much memory. Retry."});
  if (Connection* still = find(id)) memory_.change(id, still->counted, still->held());
}

void Transport::pass_to_base(const Pistache::Aio::FdSet::Entry& event) {
  Polling::Event copy(event.getTag());
  if (event.isReadable()) copy.flags.setFlag(Polling::NotifyOn::Read);
  if (event.isWritable()) copy.flags.setFlag(Polling::NotifyOn::Write);
  if (event.isHangup()) copy.flags.setFlag(Polling::NotifyOn::Hangup);
  Pistache::Tcp::Transport::onReady(Pistache::Aio::FdSet({copy}));
}

void Transport::opened(const std::shared_ptr<ClientPeer>& peer) {
  connections_.insert_or_assign(
      peer->fd(),
      Connection{
          peer, {peer->fd(), next_serial_++}, options_.limits, Clock::now() + options_.request_timeout});
}

void Transport::deliver() {
  for (const ResponseQueue::Entry& entry : responses_->take()) deliver(entry);
}

void Transport::deliver(const ResponseQueue::Entry& entry) {
  Connection* connection = find(entry.to);
  if (connection == nullptr) {
    --state_->unfinished;
    return;
  }
  guarded(*connection, [&] { answer(*connection, entry.answer); });
}

void Transport::answer(Connection& connection, const SerializedResponse& answer) {
  // Serve what the client has sent meanwhile.
  if (send(connection, answer)) serve(connection);
}

void Transport::await_turn(Connection& connection) {
  if (std::exchange(connection.awaits_turn, true)) return;
  turns_.push_back(connection.id);
}

void Transport::take_turn(const ConnectionId& id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->awaits_turn = false;
  guarded(*connection, [&] {
    if (read(*connection)) serve(*connection);
  });
}

// Ends connections that take too long, and idle ones when the server is about to stop.
void Transport::sweep() {
  sweep_timer_.acknowledge();
  const bool draining = state_->draining.load();
  const auto now = Clock::now();
  std::vector<ConnectionId> ending;
  for (const auto& [descriptor, connection] : connections_) {
    const bool late = connection.phase != Phase::kWorking && now > connection.deadline;
    if (late || (draining && connection.is_idle(now))) ending.push_back(connection.id);
  }
  for (const ConnectionId& id : ending) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    guarded(*connection, [&] {
      const bool has_begun = connection->phase == Phase::kReading && connection->holds_part_of_a_request();
      if (!has_begun) return close(*connection);
      refuse(*connection, {408, "request_timeout", "The request took too long to arrive."});
    });
  }
}

bool Transport::read(Connection& connection) {
  if (connection.input_ended) return true;
  const std::size_t before = connection.input.size();
  const auto received = connection.receive();
  if (connection.phase == Phase::kReading && !connection.request_begun && connection.input.size() > before) {
    connection.request_begun = true;
    connection.deadline = Clock::now() + options_.request_timeout;
  }
  connection.input_waits = received == Connection::Received::kEnough;
  if (received == Connection::Received::kTurn) await_turn(connection);
  const bool answer_is_due = connection.phase == Phase::kWorking || connection.phase == Phase::kAnswering ||
                             (connection.phase == Phase::kReading && connection.holds_part_of_a_request());
  if (received == Connection::Received::kEnd && answer_is_due) {
    // The client may have closed only its side, and may still wait for the answer.
    connection.input_ended = true;
  } else if (received == Connection::Received::kEnd || received == Connection::Received::kBrokenOff) {
    close(connection);
    return false;
  }
  return true;
}

void Transport::serve(Connection& connection) {
  if (connection.phase != Phase::kReading || connection.awaits_proxy_header) return;
  auto result = connection.reader.next(connection.input);
  if (const auto* refused = std::get_if<RequestReader::ProtocolError>(&result)) {
    refuse(connection, *refused);
  } else if (auto* request = std::get_if<HttpRequest>(&result)) {
    request->origin_ip = connection.origin_ip;
    if (state_->draining.load()) request->keep_alive = false;
    ++state_->unfinished;
    connection.phase = Phase::kWorking;
    connection.handed_on = request->size_in_memory();
    std::optional<SerializedResponse> at_once;
    try {
      at_once = on_request_(std::move(*request), connection.id, responses_);
      // A client that sends many requests at once lets the others go first.
      if (at_once && (!connection.input.empty() || connection.input_waits || connection.awaits_turn)) {
        responses_->post({connection.id, *std::exchange(at_once, std::nullopt)});
      }
    } catch (...) {
      // No answer will come that could be counted later.
      --state_->unfinished;
      connection.phase = Phase::kReading;
      throw;
    }
    if (at_once) answer(connection, *at_once);
  } else if (connection.input_ended) {
    close(connection);
  } else {
    if (connection.input_waits) await_turn(connection);
    if (!std::get<RequestReader::NeedsMore>(result).expects_continue) return;
    connection.output += "HTTP/1.1 100 Continue\r\n\r\n";
    write(connection);
  }
}

void Transport::refuse(Connection& connection, const RequestReader::ProtocolError& refused) {
  const SerializedResponse answer = render_(refused, connection.reader.begun(connection.input));
  connection.forget_request();
  ++state_->unfinished;
  send(connection, answer);
}

bool Transport::send(Connection& connection, const SerializedResponse& answer) {
  connection.output += answer.bytes;
  connection.handed_on = 0;
  connection.phase = Phase::kAnswering;
  connection.close_after_answer = answer.close_after;
  connection.deadline = Clock::now() + options_.write_timeout;
  return write(connection);
}

bool Transport::write(Connection& connection) {
  const auto sent = connection.send_output();
  if (sent == Connection::Sent::kBrokenOff) {
    close(connection);
    return false;
  }
  watch_writable(connection, sent == Connection::Sent::kPart);
  if (sent == Connection::Sent::kPart) return true;
  if (connection.phase != Phase::kAnswering) return true;
  --state_->unfinished;
  if (connection.close_after_answer) {
    connection.phase = Phase::kClosing;
    if (connection.input_ended) {
      close(connection);
      return false;
    }
    connection.input.clear();
    connection.deadline = Clock::now() + kLinger;
    ::shutdown(connection.id.descriptor, SHUT_WR);
    if (connection.input_waits) await_turn(connection);
    return true;
  }
  connection.await_request(options_.request_timeout, options_.idle_timeout);
  return true;
}

void Transport::watch_writable(Connection& connection, bool wanted) {
  if (connection.watches_writable == wanted) return;
  connection.watches_writable = wanted;
  Pistache::Flags<Polling::NotifyOn> interest(Polling::NotifyOn::Read);
  if (wanted) interest.setFlag(Polling::NotifyOn::Write);
  reactor()->modifyFd(key(), connection.id.descriptor, interest, Polling::Mode::Edge);
}

void Transport::close(Connection& connection) {
  // A request that is still being worked on is counted when its answer comes.
  if (connection.phase == Phase::kAnswering) --state_->unfinished;
  if (connection.phase == Phase::kWorking) responses_->note_end(connection.id);
  memory_.change(connection.id, connection.counted, {});
  const auto peer = connection.peer;
  connections_.erase(connection.id.descriptor);
  removePeer(peer);
}

}  // namespace rocket::api
