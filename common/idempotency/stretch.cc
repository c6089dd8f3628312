#include "rocket/idempotency/stretch.h"

#include <utility>

namespace rocket::idempotency {
namespace {

// An answer, where a statement's row has one.
std::optional<Response> response_in(const Flow& flow, const pg::Result& result) {
  if (result.empty()) return std::nullopt;
  if (result.is_null(0, "recovery_point")) {
    Response refusal = flow.refusal(result.text(0, "refusal"));
    refusal.is_stored = false;
    return refusal;
  }
  if (result.is_null(0, "response_code")) return std::nullopt;
  return Response{static_cast<int>(result.integer(0, "response_code")),
                  std::string(result.text(0, "response_body"))};
}

}  // namespace

std::vector<pg::Query> queries_of(const Stretch& stretch, const Lease& lease,
                                  std::optional<std::string> recorded) {
  std::vector<pg::Query> queries;
  queries.reserve(stretch.statements.size() + 1);
  for (const ComposedStatement* each : stretch.statements) {
    pg::Params params{lease.key_id, lease.token};
    if (recorded) params.push_back(std::exchange(recorded, std::nullopt));
    queries.emplace_back(each->statement(), std::move(params));
  }
  return queries;
}

std::optional<Progress> progress_after(const Flow& flow, const Stretch& stretch,
                                       std::vector<pg::Result>& results) {
  const auto last = results.end() - (stretch.next_call != nullptr ? 1 : 0);
  for (auto result = results.begin(); result != last; ++result) {
    if (std::optional<Response> response = response_in(flow, *result)) return Progress{std::move(*response)};
  }
  if (stretch.next_call == nullptr || results.back().empty()) return std::nullopt;
  return Progress{PendingCall{stretch.next_call, std::move(results.back())}};
}

}  // namespace rocket::idempotency
