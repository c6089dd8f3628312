#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace rocket::spec {

// One client that sends the same bytes on many connections, as fast as it can, until the destructor. It reads
// the answers but does not check them. It reopens a connection that ends.
class Flood {
 public:
  struct Bytes {
    // Sent once at the beginning of each connection.
    std::string first;
    // Sent after `first`, again and again.
    std::string again;
  };

  // `step`: the most that one call of send() takes, in bytes.
  Flood(std::uint16_t port, int connections, Bytes bytes, std::size_t step = 65'536);
  ~Flood();
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  std::uint64_t bytes_sent() const { return sent_; }

 private:
  struct Sender {
    int descriptor = -1;
    // The number of bytes sent of `first` followed by `again`.
    std::size_t position = 0;
  };

  void run();
  void go_on(Sender& sender);

  std::uint16_t port_;
  Bytes bytes_;
  std::size_t step_;
  std::vector<Sender> senders_;
  std::atomic<bool> enough_{false};
  std::atomic<std::uint64_t> sent_{0};
  std::thread thread_;
};

}  // namespace rocket::spec
