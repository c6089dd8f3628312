#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "idempotency/keys.h"
#include "pg/query.h"
#include "pg/result.h"

// Unfinished keys that nobody works on, and parked ones, as queries.
namespace rocket::completer {

// When a key counts as abandoned, by the database's clock.
struct AbandonmentPolicy {
  // Since it was created: its client may still be retrying.
  std::chrono::seconds grace{300};
  // Since the last attempt; doubles with each attempt of a completer, up to longest_pause.
  std::chrono::seconds pause{60};
  std::chrono::seconds longest_pause{3600};
  // Attempts of completers after which a key is parked.
  std::int64_t max_completions = 20;
  // Must be what api uses.
  std::chrono::seconds lease_time{90};
};

struct AbandonedKey {
  idempotency::Lease lease;
  std::string method;
  std::string path;
  std::string recovery_point;
  std::int64_t attempt = 0;
};

// Sets aside the keys on which completers have spent their policy. Affects at most `batch` keys.
pg::Query park_hopeless(const AbandonmentPolicy& policy, std::int64_t batch);

// Takes the leases of at most `batch` abandoned keys, oldest first. Several completers get different keys.
// `token` is the fencing token of all of them, a random UUID that was never used before.
pg::Query take_abandoned(const AbandonmentPolicy& policy, std::int64_t batch, const std::string& token);
std::vector<AbandonedKey> read_abandoned(const pg::Result& result);

// Gives back what was taken with these tokens by a transaction of whose commit nobody knows. Keys that are
// locked at the moment are left out. Affects the keys that it gives back.
pg::Query give_back_taken(const std::vector<std::string>& tokens);

// Columns id, email, request_method, request_path, recovery_point, attempts, created_at, parked_at,
// last_error; oldest first.
pg::Query list_parked();

// Gives a parked key another chance, due at once. Affects one row, or none if there is no such parked key.
pg::Query resume_parked(const std::string& key_id);

// All statements of the above that take keys or give them back.
std::vector<pg::Statement> taking_statements();

}  // namespace rocket::completer
