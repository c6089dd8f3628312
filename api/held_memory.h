#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include "api/response_queue.h"

namespace rocket::api {

// Counts the memory that unfinished requests hold on the connections of one reactor thread. When the requests
// of all threads hold more than is allowed, it chooses a connection to give up. Used by one thread; all
// threads share the total.
class HeldMemory {
 public:
  // What is counted for one connection.
  struct Share {
    std::size_t bytes = 0;
    bool can_be_given_up = false;
  };

  // Both are in bytes. `total` must outlive this object.
  HeldMemory(std::atomic<std::size_t>& total, std::size_t allowed) : total_(total), allowed_(allowed) {}

  // Counts `now` for the connection, instead of what was counted before, and stores it in `share`. `share`
  // must be as the last call for this connection left it.
  void change(const ConnectionId& connection, Share& share, Share now);
  // Returns the connection to give up while more is held than is allowed: the one that holds the most, and
  // the newest of several that hold the same. Small ones are left alone, so that usual requests pass.
  std::optional<ConnectionId> to_give_up() const;

  // In bytes. A connection that holds less counts as small.
  static constexpr std::size_t kLarge = 4096;

 private:
  // Size, serial, descriptor.
  using Large = std::tuple<std::size_t, std::uint64_t, int>;

  std::atomic<std::size_t>& total_;
  std::size_t allowed_;
  std::set<Large> large_;
};

}  // namespace rocket::api
