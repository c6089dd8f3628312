#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace rocket::api {

// Names one connection for ever: descriptor numbers are reused, serial numbers are not.
struct ConnectionId {
  int descriptor = -1;
  std::uint64_t serial = 0;
};

// What is sent to a client.
struct Answer {
  std::string bytes;
  bool close_after = false;
};

// Where any thread leaves an answer for the reactor thread that owns the connection.
class Outbox {
 public:
  struct Letter {
    ConnectionId to;
    Answer answer;
  };

  // Throws std::system_error when the kernel gives no descriptor.
  Outbox();
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Thread safe.
  void post(Letter letter);
  // Makes the descriptor readable, though there may be nothing to take. Thread safe.
  void wake();
  // Everything posted since the last call.
  std::vector<Letter> take();
  // Readable while there is something to take.
  int descriptor() const { return event_; }

 private:
  int event_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

}  // namespace rocket::api
