#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "api/client_peer.h"
#include "api/held_memory.h"
#include "api/input_buffer.h"
#include "api/request_reader.h"
#include "api/response_queue.h"

namespace rocket::api {

// One client's connection: its socket, and the bytes that come in and go out. The transport interprets the
// bytes and decides when the connection ends. Belongs to one reactor thread.
struct Connection {
  using Clock = std::chrono::steady_clock;

  enum class Phase {
    kReading,    // waits for a request, or for the rest of one
    kWorking,    // has handed the request on, waits for the answer
    kAnswering,  // sends the answer
    kClosing,    // has sent the last answer; reads to the end, because a reset could destroy the answer
  };

  enum class Received {
    kAll,        // everything that has come was read
    kTurn,       // as much as one turn allows was read; more may have come
    kEnough,     // more may have come, but is not needed yet
    kEnd,        // everything was read, and the client will send nothing more
    kBrokenOff,  // also if a proxy's header is malformed, or names a client that has too many connections
  };
  Connection(std::shared_ptr<ClientPeer> accepted, ConnectionId name, const RequestLimits& limits,
             Clock::time_point first_deadline)
      : peer(std::move(accepted)),
        id(name),
        origin_ip(peer->address()),
        reader(limits),
        awaits_proxy_header(peer->announces_client()),
        deadline(first_deadline) {}

  // Reads for one turn at most, so that a client that sends at full speed does not keep the others waiting.
  Received receive();

  enum class Sent { kAll, kPart, kBrokenOff };
  // Sends what it can without waiting.
  Sent send_output();

  bool holds_part_of_a_request() const {
    return !awaits_proxy_header && (!input.empty() || reader.awaits_body());
  }
  // Its request has no answer yet, and the client will send nothing more.
  bool may_have_left() const { return phase == Phase::kWorking && input_ended; }
  // It has waited for a request for a while, so none is on its way.
  bool is_idle(Clock::time_point now) const {
    constexpr std::chrono::milliseconds kWhile{1000};
    return phase == Phase::kReading && !holds_part_of_a_request() && now - idle_since > kWhile;
  }
  // The answer was sent. `time_limit` is for the next request once it has begun, `idle_limit` until then.
  void await_request(std::chrono::milliseconds time_limit, std::chrono::milliseconds idle_limit);
  // Forgets the unfinished request, and everything that was sent after it.
  void forget_request();

  // The memory that its unfinished request and the answer hold. Memory that a usual request needs anyway is
  // not counted.
  HeldMemory::Share held() const;

  std::shared_ptr<ClientPeer> peer;
  ConnectionId id;
  // The client's address. Until a proxy has named the client, the proxy's address.
  std::string origin_ip;
  RequestReader reader;
  // A proxy's header is still to come, before any request.
  bool awaits_proxy_header;
  InputBuffer input{};
  std::string output{};
  std::size_t written = 0;
  Phase phase = Phase::kReading;
  bool close_after_answer = false;
  // A part of the next request has come, even if only an empty line. Its time limit is running.
  bool request_begun = false;
  bool watches_writable = false;
  // The client will send nothing more.
  bool input_ended = false;
  // The socket may hold bytes that we chose not to read yet.
  bool input_waits = false;
  // It continues to read after the others have had their turn.
  bool awaits_turn = false;
  // The memory of the request that is being worked on, in bytes.
  std::size_t handed_on = 0;
  // What was counted for this connection the last time.
  HeldMemory::Share counted{};
  Clock::time_point deadline;
  // Since when it has waited for a request, if it does.
  Clock::time_point idle_since = Clock::now();

 private:
  Received receive_bytes();
  // Takes the header of the PROXY protocol off the input if it is still to come. Returns false when the
  // connection must be closed.
  bool take_proxy_header();
};

}  // namespace rocket::api
