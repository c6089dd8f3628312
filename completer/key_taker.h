#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "completer/abandoned_keys.h"
#include "completer/completion_metrics.h"
#include "rocket/base/log.h"
#include "rocket/pg/lanes.h"

namespace rocket::completer {

// Takes abandoned keys. If the commit of a taking is in doubt, its keys may have a lease that nobody works
// under. So each taking chooses its own token before it starts, and keys with the token of a taking in doubt
// are released later. That commit may still be under way in the server, so the search for such keys goes on
// until the lease would have run out.
//
// Only one call at a time is allowed.
class KeyTaker {
 public:
  // Everything passed by reference must outlive the taker.
  KeyTaker(pg::Lanes& lanes, const Log& log, AbandonmentPolicy policy, std::int64_t batch,
           idempotency::Worker worker, CompletionMetrics& metrics);

  // Takes at most one batch. Must be run off the lanes' threads. Throws database errors.
  std::vector<AbandonedKey> take();
  // Releases the keys of takings that are in doubt. Returns their number; throws database errors.
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
  idempotency::Worker worker_;
  CompletionMetrics& metrics_;
  std::vector<Doubt> doubts_;
};

}  // namespace rocket::completer
