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

// The local phases from one step up to the next commit that is needed. That is the commit before a foreign
// call, and then the last query is the `load` of the call. Or it is the commit that finishes the request.
//
// A phase does nothing unless the one before it took effect. So the last result tells how the stretch went,
// unless an earlier phase ended the request.
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

// What a stretch has led to: an answer, or a foreign call.
struct Progress {
  std::variant<Response, PendingCall> next;
};

// `results` are the results of the stretch's queries. Results of other queries may come first, if they hold
// no answer. Returns nullopt if the stretch did not take effect: the lease is not ours.
std::optional<Progress> progress_after(const Flow& flow, const Stretch& stretch,
                                       std::vector<pg::Result>& results);

}  // namespace rocket::idempotency
