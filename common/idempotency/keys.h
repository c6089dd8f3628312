#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "idempotency/request.h"
#include "pg/query.h"
#include "pg/result.h"

// The life of one row of idempotency_keys, as queries: claim, finish, release, park.
namespace rocket::idempotency {

// One attempt's right to work on a key.
struct Lease {
  std::string user_email;
  std::string key;
  // For a claim: the id that the row gets if the key is new.
  std::string key_id;
  // The fencing token: random, so it can never be somebody else's. See docs/design.md.
  std::string token;
};

// We hold the lease and go on at this recovery point.
struct Claimed {
  std::string key_id;
  std::string recovery_point;
  std::int64_t attempt = 0;
};
// Another transaction changed the key between the two halves of the statement: claim again.
struct ClaimAgain {};
using ClaimResult = std::variant<Claimed, Response, Refusal, ClaimAgain>;

// Takes the lease of the request's key, creating the key if it is new. Repeating it with the same lease is
// harmless and says how far that lease got: this is how a commit in doubt is resolved.
pg::Query claim(const Request& request, const Lease& lease, std::chrono::seconds lease_time);
ClaimResult read_claim(const pg::Result& result, const Lease& lease);

// All of these do nothing when the lease is not the key's any more.
pg::Query finish(const Lease& lease, const std::string& recovery_point, int status, const std::string& body);
pg::Query release(const Lease& lease, const std::string& error);
pg::Query park(const Lease& lease, const std::string& error);
// Releases many keys at once; their ids must be known.
pg::Query release_all(const std::vector<Lease>& leases);

}  // namespace rocket::idempotency
