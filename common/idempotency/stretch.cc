#include "idempotency/stretch.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace rocket::idempotency {
namespace {

// Returns the answer in a phase's row, if it has one.
std::optional<Response> response_in(const Flow& flow, const pg::Result& phase) {
  if (phase.empty()) return std::nullopt;
  if (phase.is_null(0, "recovery_point")) return flow.refusal(phase.text(0, "refusal"));
  if (phase.is_null(0, "response_code")) return std::nullopt;
  return Response{static_cast<int>(phase.integer(0, "response_code")),
                  std::string(phase.text(0, "response_body"))};
}

}  // namespace

void append_stretch(Stretch& stretch, const Flow& flow, std::size_t step, const Lease& lease) {
  for (; step < flow.steps.size(); ++step) {
    if (const auto* local = std::get_if<LocalPhase>(&flow.steps[step].phase)) {
      stretch.queries.emplace_back(local->statement, pg::Params{lease.key_id, lease.token});
      continue;
    }
    stretch.pending_call = &std::get<ForeignPhase>(flow.steps[step].phase);
    stretch.queries.emplace_back(stretch.pending_call->load, pg::Params{lease.key_id, lease.token});
    return;
  }
}

std::size_t step_at(const Flow& flow, std::string_view recovery_point) {
  for (std::size_t i = 0; i < flow.steps.size(); ++i) {
    if (flow.steps[i].recovery_point == recovery_point) return i;
  }
  throw std::logic_error("no phase at recovery point " + std::string(recovery_point));
}

std::optional<Progress> progress_after(const Flow& flow, const Stretch& stretch,
                                       std::vector<pg::Result>& results) {
  const auto phases_end = results.end() - (stretch.pending_call != nullptr ? 1 : 0);
  for (auto phase = results.begin(); phase != phases_end; ++phase) {
    if (std::optional<Response> response = response_in(flow, *phase)) return Progress{std::move(*response)};
  }
  if (stretch.pending_call == nullptr || results.back().empty()) return std::nullopt;
  return Progress{PendingCall{stretch.pending_call, std::move(results.back())}};
}

}  // namespace rocket::idempotency
