#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <tuple>

#include "api/response_queue.h"

namespace rocket::api {

// Counts the memory that the unfinished requests of one reactor thread's connections hold, and chooses which
// one to give up when those of all threads hold more than is allowed. Used by one thread; the total is
// shared.
class HeldMemory {
 public:
  // What is counted for one connection.
  struct Share {
    std::size_t bytes = 0;
    bool can_be_given_up = false;
  };

  // In bytes. `total` must outlive this.
  HeldMemory(std::atomic<std::size_t>& total, std::size_t allowed) : total_(total), allowed_(allowed) {}

  // From now on the connection holds `now`; `share` is what this function left there the last time.
  void change(const ConnectionId& connection, Share& share, Share now);
  // While more is held than is allowed: the connection that holds the most, and of several the newest. Small
  // ones are left alone, so that usual requests pass.
  std::optional<ConnectionId> to_give_up() const;

  // In bytes. Less is small.
  static constexpr std::size_t kLarge = 4096;

 private:
  // Size, serial, descriptor.
  using Large = std::tuple<std::size_t, std::uint64_t, int>;

  std::atomic<std::size_t>& total_;
  std::size_t allowed_;
  std::set<Large> large_;
};

}  // namespace rocket::api
