#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "rocket/idempotency/held_leases.h"
#include "rocket/idempotency/keys.h"
#include "rocket/pg/lane.h"

// Hands back the key of an attempt that ended without an answer, so that a retry need not wait for the lease
// to run out.
//
// A key stays held by an attempt only under a token that the attempt has claimed with. So each of its tokens
// is released, the current one and all earlier ones, until the database has confirmed it. A release that is
// in doubt, or was sent to a server that is gone, is sent again; releasing twice is harmless. One case needs
// more: a claim whose commit is in doubt may still be under way in the server, before or after any release,
// and take the key later. So after such a claim the release is repeated for as long as the lease would last.
// After that the lease has run out, because it counts from when the claim was sent.
namespace rocket::idempotency {

struct LeaseRelease {
  // Has every token that the attempt has claimed with.
  Lease lease;
  // What is stored on the key as its last error, and in its history.
  EndReason reason;
  // Nobody knows whether one of the claims took the key, or still will.
  bool claim_in_doubt = false;
};

// Releases once. True if nothing is left to do. Throws nothing.
asio::awaitable<bool> release_now(pg::Lane& lane, const Worker& worker, const LeaseRelease& what);

// Releases as soon as the database can be reached, and again as described above. The lease is listed in
// `held` meanwhile. `held` and `worker` must outlive the lane.
asio::awaitable<void> release_when_possible(pg::Lane& lane, HeldLeases& held, const Worker& worker,
                                            LeaseRelease what, std::chrono::seconds lease_time);

}  // namespace rocket::idempotency
