#include "api/transport.h"

#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <variant>

namespace rocket::api {
namespace {

namespace Polling = Pistache::Polling;

constexpr std::chrono::milliseconds kSweepInterval{250};
constexpr std::chrono::milliseconds kLinger{2000};
constexpr std::size_t kReadSize = 16'384;

// Tells the transport of new connections. Pistache's reading and writing is not used.
class Doorman : public Pistache::Tcp::Handler {
  PROTOTYPE_OF(Pistache::Tcp::Handler, Doorman)

 public:
  void onConnection(const std::shared_ptr<Pistache::Tcp::Peer>& peer) override {
    static_cast<Transport*>(transport())->opened(peer);
  }
  void onInput(const char* /*buffer*/, size_t /*size*/,
               const std::shared_ptr<Pistache::Tcp::Peer>& /*peer*/) override {}
};

void acknowledge(int timer) {
  std::uint64_t count = 0;
  // Not blocking; whether there was anything to read does not matter.
  [[maybe_unused]] const auto size = ::read(timer, &count, sizeof count);
}

}  // namespace

Transport::Transport(TransportOptions options, RequestHandler on_request, RefusalRenderer render,
                     std::shared_ptr<TransportState> state)
    : Pistache::Tcp::Transport(std::make_shared<Doorman>()),
      options_(options),
      on_request_(std::move(on_request)),
      render_(std::move(render)),
      state_(std::move(state)),
      outbox_(std::make_shared<Outbox>()) {}

Transport::~Transport() {
  if (sweep_timer_ >= 0) ::close(sweep_timer_);
}

std::shared_ptr<Pistache::Aio::Handler> Transport::clone() const {
  return std::make_shared<Transport>(options_, on_request_, render_, state_);
}

void Transport::registerPoller(Polling::Epoll& poller) {
  Pistache::Tcp::Transport::registerPoller(poller);
  const auto watch = [&](int descriptor) {
    poller.addFd(descriptor, Pistache::Flags<Polling::NotifyOn>(Polling::NotifyOn::Read),
                 Polling::Tag(static_cast<std::uint64_t>(descriptor)));
  };
  watch(outbox_->descriptor());

  sweep_timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (sweep_timer_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  itimerspec interval{};
  interval.it_interval.tv_nsec = std::chrono::nanoseconds(kSweepInterval).count();
  interval.it_value = interval.it_interval;
  ::timerfd_settime(sweep_timer_, 0, &interval, nullptr);
  watch(sweep_timer_);
}

void Transport::onReady(const Pistache::Aio::FdSet& events) {
  for (const auto& event : events) {
    try {
      on_event(event);
    } catch (const std::exception&) {
      // Also "unknown fd" from the base class, for a connection closed earlier in this round. An exception
      // that left this function would end the process.
    }
  }
}

void Transport::on_event(const Pistache::Aio::FdSet::Entry& event) {
  const int descriptor = static_cast<int>(event.getTag().value());
  if (descriptor == outbox_->descriptor()) return deliver();
  if (descriptor == sweep_timer_) return sweep();
  const auto found = connections_.find(descriptor);
  if (found == connections_.end()) return pass_to_base(event);
  Connection& connection = found->second;
  guarded(connection, [&] {
    // Both may be true of one event; a write that closes ends the matter.
    if (event.isWritable() && !write(connection)) return;
    if (!read(connection)) return;
    serve(connection);
  });
}

// Out of memory at worst: then this connection pays for it, not the others.
template <typename Work>
void Transport::guarded(const Connection& connection, const Work& work) {
  const int descriptor = connection.id.descriptor;
  try {
    work();
  } catch (const std::exception&) {
    if (const auto still = connections_.find(descriptor); still != connections_.end()) close(still->second);
  }
}

void Transport::pass_to_base(const Pistache::Aio::FdSet::Entry& event) {
  Polling::Event copy(event.getTag());
  if (event.isReadable()) copy.flags.setFlag(Polling::NotifyOn::Read);
  if (event.isWritable()) copy.flags.setFlag(Polling::NotifyOn::Write);
  if (event.isHangup()) copy.flags.setFlag(Polling::NotifyOn::Hangup);
  std::vector<Polling::Event> one;
  one.push_back(copy);
  Pistache::Tcp::Transport::onReady(Pistache::Aio::FdSet(std::move(one)));
}

void Transport::opened(const std::shared_ptr<Pistache::Tcp::Peer>& peer) {
  const int descriptor = peer->fd();
  Connection connection{.peer = peer,
                        .id = {descriptor, next_serial_++},
                        .origin_ip = peer->address().host(),
                        .reader = RequestReader(options_.limits),
                        .input = {},
                        .output = {},
                        .deadline = Clock::now() + options_.request_timeout};
  // One too many is closed by the next sweep: the base class is not done with this peer yet.
  if (connections_.size() >= options_.most_connections) connection.deadline = Clock::time_point::min();
  connections_.insert_or_assign(descriptor, std::move(connection));
}

void Transport::deliver() {
  for (const Outbox::Letter& letter : outbox_->take()) deliver(letter);
}

void Transport::deliver(const Outbox::Letter& letter) {
  const auto found = connections_.find(letter.to.descriptor);
  const bool gone = found == connections_.end() || found->second.id.serial != letter.to.serial;
  if (gone) {
    --state_->unfinished;
    return;
  }
  Connection& connection = found->second;
  guarded(connection, [&] { answer(connection, letter.answer); });
}

void Transport::answer(Connection& connection, const Answer& answer) {
  if (!send(connection, answer)) return;
  // What the client sent meanwhile.
  if (connection.phase == Phase::kReading && (!connection.input_waits || read(connection))) {
    serve(connection);
  }
}

// Ends connections that take too long, and idle ones when the server is about to stop.
void Transport::sweep() {
  acknowledge(sweep_timer_);
  const bool draining = state_->draining.load();
  const auto now = Clock::now();
  std::vector<int> ending;
  for (const auto& [descriptor, connection] : connections_) {
    const bool idle = connection.phase == Phase::kReading && !connection.holds_part_of_a_request();
    const bool late = connection.phase != Phase::kWorking && now > connection.deadline;
    if (late || (draining && idle)) ending.push_back(descriptor);
  }
  for (const int descriptor : ending) {
    Connection& connection = connections_.at(descriptor);
    if (connection.phase == Phase::kReading && connection.holds_part_of_a_request()) {
      refuse(connection, {408, "request_timeout", "The request took too long to arrive."});
    } else {
      close(connection);
    }
  }
}

bool Transport::read(Connection& connection) {
  std::array<char, kReadSize> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  connection.input_waits = false;
  while (!connection.input_ended) {
    if (connection.input.size() > connection.reader.buffer_limit()) {
      connection.input_waits = true;
      return true;
    }
    const ssize_t size = ::recv(connection.id.descriptor, bytes.data(), bytes.size(), 0);
    if (size > 0) {
      if (connection.phase == Phase::kClosing) continue;
      if (connection.phase == Phase::kReading && !connection.request_begun) {
        connection.request_begun = true;
        connection.deadline = Clock::now() + options_.request_timeout;
      }
      connection.input.append(bytes.data(), static_cast<std::size_t>(size));
      continue;
    }
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    const bool answer_is_due = connection.phase == Phase::kWorking || connection.phase == Phase::kAnswering ||
                               (connection.phase == Phase::kReading && !connection.input.empty());
    if (size == 0 && answer_is_due) {
      // It may have closed only its half, and still wait for the answer.
      connection.input_ended = true;
      return true;
    }
    close(connection);
    return false;
  }
  return true;
}

void Transport::serve(Connection& connection) {
  if (connection.phase != Phase::kReading) return;
  if (connection.input.empty()) {
    if (connection.input_ended) close(connection);
    return;
  }
  auto result = connection.reader.next(connection.input);
  if (const auto* refused = std::get_if<RequestReader::Refused>(&result)) {
    refuse(connection, *refused);
  } else if (auto* request = std::get_if<HttpRequest>(&result)) {
    request->origin_ip = connection.origin_ip;
    if (state_->draining.load()) request->keep_alive = false;
    ++state_->unfinished;
    connection.phase = Phase::kWorking;
    std::optional<Answer> at_once;
    try {
      at_once = on_request_(std::move(*request), connection.id, outbox_);
      // Who sends many requests at once must not keep the others waiting: they come first.
      if (at_once && (!connection.input.empty() || connection.input_waits)) {
        outbox_->post({connection.id, *std::exchange(at_once, std::nullopt)});
      }
    } catch (...) {
      // No answer will come that could be counted.
      --state_->unfinished;
      throw;
    }
    if (at_once) answer(connection, *at_once);
  } else if (connection.input_ended) {
    close(connection);
  } else if (std::get<RequestReader::NeedsMore>(result).expects_continue) {
    connection.output += "HTTP/1.1 100 Continue\r\n\r\n";
    write(connection);
  }
}

void Transport::refuse(Connection& connection, const RequestReader::Refused& refused) {
  ++state_->unfinished;
  send(connection, render_(refused));
}

bool Transport::send(Connection& connection, const Answer& answer) {
  connection.output += answer.bytes;
  connection.phase = Phase::kAnswering;
  connection.close_after_answer = answer.close_after;
  connection.deadline = Clock::now() + options_.write_timeout;
  return write(connection);
}

bool Transport::write(Connection& connection) {
  while (connection.written < connection.output.size()) {
    const ssize_t size = ::send(connection.id.descriptor, connection.output.data() + connection.written,
                                connection.output.size() - connection.written, MSG_NOSIGNAL);
    if (size >= 0) {
      connection.written += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      watch_writable(connection, true);
      return true;
    } else if (errno != EINTR) {
      close(connection);
      return false;
    }
  }
  connection.output.clear();
  connection.written = 0;
  watch_writable(connection, false);
  if (connection.phase != Phase::kAnswering) return true;
  --state_->unfinished;
  if (connection.close_after_answer) {
    if (connection.input_ended) {
      connection.phase = Phase::kClosing;
      close(connection);
      return false;
    }
    connection.phase = Phase::kClosing;
    connection.input.clear();
    connection.deadline = Clock::now() + kLinger;
    ::shutdown(connection.id.descriptor, SHUT_WR);
    return true;
  }
  connection.phase = Phase::kReading;
  connection.request_begun = !connection.input.empty();
  connection.deadline =
      Clock::now() + (connection.request_begun ? options_.request_timeout : options_.idle_timeout);
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
  // The answer to a request that is still being worked on is counted when it comes.
  if (connection.phase == Phase::kAnswering) --state_->unfinished;
  const auto peer = connection.peer;
  connections_.erase(connection.id.descriptor);
  removePeer(peer);
}

}  // namespace rocket::api
