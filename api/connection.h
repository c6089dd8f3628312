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

// One client's connection: its socket, and the bytes on their way in and out. What they mean, and when it
// ends, is the transport's concern. Belongs to one reactor thread.
struct Connection {
  using Clock = std::chrono::steady_clock;

  enum class Phase {
    kReading,    // waits for a request, or for the rest of one
    kWorking,    // handed it on, waits for the answer
    kAnswering,  // sends the answer
    kClosing,    // has sent the last answer, and reads to the end lest a reset destroy it
  };

  enum class Received {
    kAll,        // all that has come
    kTurn,       // as much as one turn allows; more may have come
    kEnough,     // more may have come, and nobody needs it yet
    kEnd,        // all, and the client will send nothing more
    kBrokenOff,  // also when a proxy's header is malformed, or names a client that has too many connections
  };
  Connection(std::shared_ptr<ClientPeer> accepted, ConnectionId name, const RequestLimits& limits,
             Clock::time_point first_deadline)
      : peer(std::move(accepted)),
        id(name),
        origin_ip(peer->address()),
        reader(limits),
        awaits_proxy_header(peer->announces_client()),
        deadline(first_deadline) {}

  // Reads for one turn, so that nobody who sends at full speed keeps the others waiting.
  Received receive();

  enum class Sent { kAll, kPart, kBrokenOff };
  // Sends what it can without waiting.
  Sent send_output();

  bool holds_part_of_a_request() const {
    return !awaits_proxy_header && (!input.empty() || reader.awaits_body());
  }
  // With all that was sent behind it.
  void forget_request();

  // What its unfinished request holds, its answer included. What a usual request needs is not counted.
  HeldMemory::Share held() const;

  std::shared_ptr<ClientPeer> peer;
  ConnectionId id;
  // The client's; a proxy's until it has said whose it is.
  std::string origin_ip;
  RequestReader reader;
  // A proxy's header comes before any request.
  bool awaits_proxy_header;
  InputBuffer input{};
  std::string output{};
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
  // It reads on when the others have had their turn.
  bool awaits_turn = false;
  // The memory of the request that is being worked on, in bytes.
  std::size_t handed_on = 0;
  // As it was counted the last time.
  HeldMemory::Share counted{};
  Clock::time_point deadline;

 private:
  Received receive_bytes();
  // Takes the header of the PROXY protocol off the input, where one is to come first.
  bool take_proxy_header();
};

}  // namespace rocket::api
