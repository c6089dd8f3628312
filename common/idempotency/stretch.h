#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "idempotency/flow.h"
#include "idempotency/keys.h"
#include "idempotency/request.h"
#include "pg/query.h"
#include "pg/result.h"

namespace rocket::idempotency {

// The local phases from one step up to the next commit that is needed: the one before a foreign call, whose
// `load` is then the last query, or the one that finishes the request.
//
// A phase does nothing unless the one before it took effect. So the last result tells how it went, unless a
// phase before it ended the request.
struct Stretch {
  std::vector<pg::Query> queries;
  const ForeignPhase* pending_call = nullptr;
};

// Adds the phases from this step on. The flow must outlive the stretch.
void append_stretch(Stretch& stretch, const Flow& flow, std::size_t step, const Lease& lease);

// The step that begins at the recovery point. Throws std::logic_error when the flow has none.
std::size_t step_at(const Flow& flow, std::string_view recovery_point);

// A foreign call is next, and what it needs has been read.
struct PendingCall {
  const ForeignPhase* phase;
  pg::Result loaded;
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
