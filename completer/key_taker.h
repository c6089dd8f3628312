#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"
#include "completer/abandoned_keys.h"
#include "pg/lanes.h"

namespace rocket::completer {

// Takes abandoned keys. If the commit of a taking is in doubt, its keys may be held by a lease that nobody
// works under. So each taking has a token of its own that is known before, and keys with such a token are
// given back. That commit may still be under way in the server: so they are looked for until the lease would
// have run out.
//
// One call at a time.
class KeyTaker {
 public:
  // What is passed by reference must outlive it.
  KeyTaker(pg::Lanes& lanes, const Log& log, AbandonmentPolicy policy, std::int64_t batch);

  // At most one batch. Must be run off the lanes' threads. Throws database errors.
  std::vector<AbandonedKey> take();
  // Gives back what it has taken without knowing. Returns how many keys; throws database errors.
  asio::awaitable<std::int64_t> give_back(pg::Lane& lane) const;

 private:
  struct Doubt {
    std::string token;
    std::chrono::steady_clock::time_point since;
  };

  asio::awaitable<std::vector<AbandonedKey>> take_with(pg::Lane& lane, std::string token);

  pg::Lanes& lanes_;
  const Log& log_;
  AbandonmentPolicy policy_;
  std::int64_t batch_;
  std::vector<Doubt> doubts_;
};

}  // namespace rocket::completer
