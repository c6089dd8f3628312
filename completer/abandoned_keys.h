#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "rocket/idempotency/keys.h"
#include "rocket/idempotency/times.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// Queries for unfinished keys that nobody works on.
namespace rocket::completer {

// When a key counts as abandoned, by the database's clock.
struct AbandonmentPolicy {
  // Least age of the key. Before that, its client may still be retrying.
  std::chrono::seconds grace = idempotency::kGrace;
  // Least time since the last attempt. Doubles with each attempt of a completer, up to longest_pause.
  std::chrono::seconds pause = idempotency::kPause;
  std::chrono::seconds longest_pause = idempotency::kLongestPause;
  // A key is parked after this many attempts of completers.
  std::int64_t max_completions = 20;
  // Must be the lease time that the api uses.
  std::chrono::seconds lease_time = idempotency::kLeaseTime;
};

struct AbandonedKey {
  idempotency::Lease lease;
  std::string method;
  std::string path;
  std::string recovery_point;
  std::int64_t attempt = 0;
};

// Parks the abandoned keys that have had max_completions attempts of completers, at most `batch` keys. One
// row per parked key. `worker` is this process, for the history.
pg::Query park_hopeless(const AbandonmentPolicy& policy, std::int64_t batch,
                        const idempotency::Worker& worker);

// Takes the leases of at most `batch` abandoned keys, oldest first. Several completers get different keys.
// `token` becomes the fencing token of all these keys. It must be a random UUID that was never used before.
pg::Query take_abandoned(const AbandonmentPolicy& policy, std::int64_t batch, const std::string& token);
std::vector<AbandonedKey> read_abandoned(const pg::Result& result);

// Releases the keys that hold one of these tokens. Used if the commit that took the keys is in doubt. Skips
// keys that are locked at the moment. One row per released key.
pg::Query give_back_taken(const std::vector<std::string>& tokens, const idempotency::Worker& worker);

// All statements that park, take or release keys.
std::vector<pg::Statement> taking_statements();

}  // namespace rocket::completer
