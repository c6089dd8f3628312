#include "idempotency/engine.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cstddef>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "pg/errors.h"

namespace rocket::idempotency {
namespace {

// A claim is repeated when it raced with another one, when its commit was in doubt, or when its lease was
// lost. More than a few times in a row means that others are at work on the key.
constexpr int kMostClaims = 5;

Lease new_lease(const Request& request) {
  return {request.user_email, request.key, time_ordered_uuid(), random_uuid()};
}

// After a lease was lost. If it was lost to a transaction of our own that was cut off and went on behind us,
// what that one finished is no replay, so the key keeps the id by which we know it.
void start_anew(Lease& lease) {
  if (lease.doubtful.empty()) lease.key_id = time_ordered_uuid();
  lease.token = random_uuid();
}

// After a commit in doubt.
void replace_token(Lease& lease) { lease.doubtful.push_back(std::exchange(lease.token, random_uuid())); }

// The local phases from one step up to the next commit that is needed: the one before a foreign call, whose
// `load` is then the last query, or the one that finishes the request.
//
// A phase does nothing unless the one before it took effect. So the last result tells how it went, unless a
// phase before it ended the request.
struct Stretch {
  std::vector<pg::Query> queries;
  const ForeignPhase* call_ahead = nullptr;
};

void append_stretch(Stretch& stretch, const Flow& flow, std::size_t step, const Lease& lease) {
  for (; step < flow.steps.size(); ++step) {
    if (const auto* local = std::get_if<LocalPhase>(&flow.steps[step].phase)) {
      stretch.queries.emplace_back(local->statement, pg::Params{lease.key_id, lease.token});
      continue;
    }
    stretch.call_ahead = &std::get<ForeignPhase>(flow.steps[step].phase);
    stretch.queries.emplace_back(stretch.call_ahead->load, pg::Params{lease.key_id, lease.token});
    return;
  }
}

std::size_t step_at(const Flow& flow, std::string_view recovery_point) {
  for (std::size_t i = 0; i < flow.steps.size(); ++i) {
    if (flow.steps[i].recovery_point == recovery_point) return i;
  }
  throw std::logic_error("no phase at recovery point " + std::string(recovery_point));
}

// An answer, where a phase's row has one.
std::optional<Response> response_in(const pg::Result& phase) {
  if (phase.empty() || phase.is_null(0, "response_code")) return std::nullopt;
  Response response{static_cast<int>(phase.integer(0, "response_code")),
                    std::string(phase.text(0, "response_body"))};
  const bool refused = phase.is_null(0, "recovery_point");
  if (refused && !phase.is_null(0, "retry_after")) response.retry_after = phase.integer(0, "retry_after");
  return response;
}

pg::Unit unit_of(const Flow& flow, const Lease& lease, std::vector<pg::Query> queries) {
  return {lease.key + ' ' + lease.user_email, std::move(queries), flow.locks_shared_rows};
}

pg::Unit unit_of(const Lease& lease, pg::Query query) {
  pg::Unit unit{lease.key + ' ' + lease.user_email, {}};
  unit.queries.push_back(std::move(query));
  return unit;
}

// Gives the key back once the database can be reached, so that a retry need not wait for the lease to end. A
// claim in doubt may still be under way in the server, such as one that waits for a replica: then there is
// nothing to be seen of it yet, and it has to be looked for again.
asio::awaitable<void> release_when_possible(pg::Lane& lane, Lease lease, std::string error,
                                            std::chrono::seconds lease_time, bool claim_in_doubt) {
  constexpr std::chrono::milliseconds kPause{200};
  constexpr std::chrono::milliseconds kLongestPause{1000};
  std::chrono::milliseconds pause = kPause;
  for (std::chrono::milliseconds waited{0}; waited < lease_time; waited += pause) {
    try {
      pg::Unit unit = unit_of(lease, release(lease, error));
      const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
      if (!claim_in_doubt || results.front().affected() > 0) co_return;
      pause = std::min(pause * 2, kLongestPause);
    } catch (const pg::StatementFailed& failed) {
      if (!failed.is_temporary()) co_return;
    } catch (const pg::Unavailable&) {
      // Also in doubt: releasing twice is harmless.
    }
    asio::steady_timer timer(lane.executor(), pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

bool is_in_doubt(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::InDoubt&) {
    return true;
  } catch (...) {
    return false;
  }
}

struct Failure {
  RefusalKind kind = RefusalKind::kInternal;
  std::string text;
};

Failure describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const pg::Unavailable& away) {
    return {RefusalKind::kDatabaseUnavailable, std::string("database unavailable: ") + away.what()};
  } catch (const pg::StatementFailed& failed) {
    return {failed.is_temporary() ? RefusalKind::kDatabaseUnavailable : RefusalKind::kInternal,
            failed.query() + " failed with SQLSTATE " + failed.sqlstate()};
  } catch (const std::exception& other) {
    return {RefusalKind::kInternal, other.what()};
  } catch (...) {
    return {RefusalKind::kInternal, "unknown exception"};
  }
}

}  // namespace

// A foreign call is next, and what it needs has been read.
struct Engine::CallAhead {
  const ForeignPhase* phase;
  pg::Result loaded;
};

// Where a stretch has led.
struct Engine::Position {
  std::variant<Response, CallAhead> next;

  // Nothing when the stretch did not take effect: the lease is not ours.
  static std::optional<Position> after(const Stretch& stretch, std::vector<pg::Result>& results) {
    const auto phases_end = results.end() - (stretch.call_ahead != nullptr ? 1 : 0);
    for (auto phase = results.begin(); phase != phases_end; ++phase) {
      if (std::optional<Response> response = response_in(*phase)) return Position{std::move(*response)};
    }
    if (stretch.call_ahead == nullptr || results.back().empty()) return std::nullopt;
    return Position{CallAhead{stretch.call_ahead, std::move(results.back())}};
  }
};

asio::awaitable<Outcome> Engine::run(pg::Lane& lane, const Flow& flow, Request request) const {
  Lease lease = new_lease(request);
  // Once its claim is known to have succeeded.
  bool ours = false;
  std::exception_ptr doubt;
  for (int claims = 0; claims < kMostClaims; ++claims) {
    std::exception_ptr error;
    try {
      std::optional<Outcome> outcome = co_await attempt(lane, flow, request, lease, ours);
      if (outcome) co_return std::move(*outcome);
      start_anew(lease);
      ours = false;
    } catch (...) {
      error = std::current_exception();
    }
    if (error && !is_in_doubt(error)) {
      co_return co_await give_up(lane, std::move(lease), ours, error);
    }
    // In doubt, claiming again reads the key and tells how far we got. It takes a new token, because what is
    // still under way in the old one's name may hold another answer than the one that we shall get.
    doubt = error;
    if (doubt) replace_token(lease);
  }
  if (doubt) {
    co_return co_await give_up(lane, std::move(lease), ours, doubt);
  }
  co_return Refusal{RefusalKind::kInProgress};
}

asio::awaitable<Outcome> Engine::resume(pg::Lane& lane, const Flow& flow, Lease lease,
                                        std::string recovery_point) const {
  const HeldLeases::Entry held(held_, lease);
  std::exception_ptr error;
  try {
    Stretch stretch;
    append_stretch(stretch, flow, step_at(flow, recovery_point), lease);
    std::vector<pg::Result> results = co_await lane.commit(unit_of(flow, lease, std::move(stretch.queries)));
    std::optional<Position> position = Position::after(stretch, results);
    std::optional<Outcome> outcome;
    if (position) {
      outcome = co_await advance(lane, flow, lease, std::move(*position), false);
    }
    co_return outcome ? std::move(*outcome) : Outcome(Refusal{RefusalKind::kInProgress});
  } catch (...) {
    error = std::current_exception();
  }
  co_return co_await give_up(lane, std::move(lease), true, error);
}

asio::awaitable<std::size_t> Engine::hand_back_all(pg::Lane& lane) const {
  const std::vector<Lease> leases = held_.all();
  if (leases.empty()) co_return 0;
  pg::Unit unit;
  unit.queries.push_back(release_all(leases));
  unit.alone = true;
  co_await lane.commit(std::move(unit));
  co_return leases.size();
}

// One claim and what follows from it. Nothing: claim again. `ours` becomes true once the lease is.
//
// The claim and the first stretch of a new request travel together: behind a claim that did not make a new
// key, the stretch finds no row with this id and does nothing.
asio::awaitable<std::optional<Outcome>> Engine::attempt(pg::Lane& lane, const Flow& flow,
                                                        const Request& request, Lease& lease,
                                                        bool& ours) const {
  Stretch opening;
  opening.queries.push_back(claim(request, lease, options_.lease_time));
  append_stretch(opening, flow, 0, lease);
  std::vector<pg::Result> results = co_await lane.commit(unit_of(flow, lease, std::move(opening.queries)));

  const ClaimResult result = read_claim(results.front(), lease);
  if (std::holds_alternative<ClaimAgain>(result)) co_return std::nullopt;
  if (const auto* response = std::get_if<Response>(&result)) co_return *response;
  if (const auto* refusal = std::get_if<Refusal>(&result)) co_return *refusal;
  const auto& claimed = std::get<Claimed>(result);
  lease.key_id = claimed.key_id;
  ours = true;
  const HeldLeases::Entry held(held_, lease);

  std::optional<Position> position = Position::after(opening, results);
  if (!position) {
    Stretch rest;
    append_stretch(rest, flow, step_at(flow, claimed.recovery_point), lease);
    results = co_await lane.commit(unit_of(flow, lease, std::move(rest.queries)));
    position = Position::after(rest, results);
  }
  if (!position) co_return std::nullopt;
  co_return co_await advance(lane, flow, lease, std::move(*position), request.raise_error);
}

// From one foreign call to the next, until there is an answer. Nothing: the lease was lost.
asio::awaitable<std::optional<Outcome>> Engine::advance(pg::Lane& lane, const Flow& flow, const Lease& lease,
                                                        Position position, bool raise_error) const {
  while (const auto* ahead = std::get_if<CallAhead>(&position.next)) {
    const ForeignPhase& phase = *ahead->phase;
    const ForeignOutcome outcome = co_await phase.call(ahead->loaded, raise_error);

    const std::string here(ahead->loaded.text(0, "recovery_point"));
    Stretch stretch;
    if (const auto* recorded = std::get_if<Recorded>(&outcome)) {
      stretch.queries.emplace_back(phase.record, pg::Params{lease.key_id, lease.token, recorded->value});
      append_stretch(stretch, flow, step_at(flow, here) + 1, lease);
    } else if (const auto* ended = std::get_if<Ended>(&outcome)) {
      stretch.queries.push_back(finish(lease, here, ended->status, ended->body));
    } else if (const auto* unanswered = std::get_if<Unanswered>(&outcome)) {
      log_.warn("released", {{"key_id", lease.key_id}, {"point", here}, {"error", unanswered->reason}});
      pg::Unit unit = unit_of(lease, release(lease, unanswered->reason));
      co_await lane.commit(std::move(unit));
      co_return Refusal{RefusalKind::kForeignUnavailable};
    } else {
      const auto& reason = std::get<NeedsPerson>(outcome).reason;
      log_.warn("parked", {{"key_id", lease.key_id}, {"point", here}, {"error", reason}});
      pg::Unit unit = unit_of(lease, park(lease, reason));
      co_await lane.commit(std::move(unit));
      co_return Refusal{RefusalKind::kParked};
    }

    std::vector<pg::Result> results = co_await lane.commit(unit_of(flow, lease, std::move(stretch.queries)));
    std::optional<Position> next = Position::after(stretch, results);
    if (!next) co_return std::nullopt;
    position = std::move(*next);
  }
  co_return std::get<Response>(std::move(position.next));
}

// Ends an attempt that failed, and leaves the key at its recovery point for the next one.
asio::awaitable<Outcome> Engine::give_up(pg::Lane& lane, Lease lease, bool ours,
                                         std::exception_ptr error) const {
  Failure failure = describe(error);
  log_.warn("attempt failed", {{"key_id", lease.key_id}, {"error", failure.text}});
  const bool claim_in_doubt = !ours && !lease.doubtful.empty();
  if (!ours && !claim_in_doubt) co_return Refusal{failure.kind};
  auto releasing = release_when_possible(lane, std::move(lease), std::move(failure.text), options_.lease_time,
                                         claim_in_doubt);
  if (claim_in_doubt || failure.kind == RefusalKind::kDatabaseUnavailable) {
    asio::co_spawn(lane.executor(), std::move(releasing), asio::detached);
  } else {
    co_await std::move(releasing);
  }
  co_return Refusal{failure.kind};
}

}  // namespace rocket::idempotency
