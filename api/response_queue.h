#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

namespace rocket::api {

// Names one connection for ever: descriptor numbers are reused, serial numbers are not.
struct ConnectionId {
  int descriptor = -1;
  std::uint64_t serial = 0;
};

// What is sent to a client.
struct SerializedResponse {
  std::string bytes;
  bool close_after = false;
};

// Takes answers from any thread for the reactor thread that owns the connection.
class ResponseQueue {
 public:
  struct Entry {
    ConnectionId to;
    SerializedResponse answer;
  };

  // Throws std::system_error when the kernel gives no descriptor.
  ResponseQueue();
  ~ResponseQueue();
  ResponseQueue(const ResponseQueue&) = delete;
  ResponseQueue& operator=(const ResponseQueue&) = delete;

  // Thread safe.
  void post(Entry entry);
  // Makes the descriptor readable, though there may be nothing to take. Thread safe.
  void wake();
  // Everything posted since the last call.
  std::vector<Entry> take();
  // The client of a request without an answer has gone, or will send nothing more. This is forgotten when the
  // answer is taken, so such a request must have one. Thread safe.
  void note_end(const ConnectionId& connection);
  bool has_ended(const ConnectionId& connection) const;
  // Readable while there is something to take.
  int descriptor() const { return event_; }

 private:
  int event_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  // The serial numbers of connections.
  std::unordered_set<std::uint64_t> ended_;
};

}  // namespace rocket::api
