#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rocket/idempotency/flow.h"
#include "rocket/idempotency/keys.h"
#include "rocket/idempotency/request.h"
#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// The stretches of a flow as queries, and where they have led.
namespace rocket::idempotency {

// The queries of a stretch for one key. `recorded`: what the foreign call returned, for a stretch that begins
// behind it. The flow must outlive them.
std::vector<pg::Query> queries_of(const Stretch& stretch, const Lease& lease,
                                  std::optional<std::string> recorded = std::nullopt);

// A foreign call is next, and what it needs has been read.
struct PendingCall {
  const ForeignPhase* phase;
  pg::Result needed;
};

// Where a stretch has led.
struct Progress {
  std::variant<Response, PendingCall> next;
};

// `results` are those of the stretch's queries, behind others that have no answer. Returns nullopt if the
// stretch did not take effect: the lease is not ours.
std::optional<Progress> progress_after(const Flow& flow, const Stretch& stretch,
                                       std::vector<pg::Result>& results);

}  // namespace rocket::idempotency
