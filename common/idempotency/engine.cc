#include "rocket/idempotency/engine.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <cstddef>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/idempotency/attempt_error.h"
#include "rocket/idempotency/stretch.h"
#include "rocket/idempotency/units.h"

namespace rocket::idempotency {
namespace {

// A claim is repeated when it raced with another one, when its commit was in doubt, or when its lease was
// lost. If that happens more than a few times in a row, others are at work on the key.
constexpr int kMaxClaims = 5;

Lease new_lease(const Request& request) {
  Lease lease{request.credential, request.key, time_ordered_uuid(), random_uuid(), {}, request.caller};
  lease.ids = request.ids ? request.ids : std::make_shared<RequestIds>();
  return lease;
}

// For use after a commit in doubt or a lost lease. The old token is kept, because it may hold the key after
// all. Then the next claim takes over from it, and the end of the attempt releases it.
void replace_token(Lease& lease) {
  lease.in_doubt_tokens.push_back(std::exchange(lease.token, random_uuid()));
}

// The log names the key once it is known that there is one. `claim` is the result of a claim.
void note_key(RequestIds& ids, const pg::Result& claim) {
  if (!claim.empty() && !claim.is_null(0, "id")) ids.key_id = claim.text(0, "id");
}

// Adds what the attempt has done to its key.
Outcome outcome_of(const Lease& lease, Outcome outcome) {
  if (auto* refusal = std::get_if<Refusal>(&outcome)) {
    refusal->made_key = lease.made_key;
  } else {
    auto& response = std::get<Response>(outcome);
    response.made_key = response.is_stored && (response.made_key || lease.made_key);
  }
  return outcome;
}

EndReason::Word word_of(RefusalKind kind) {
  return kind == RefusalKind::kDatabaseUnavailable ? EndReason::Word::kDatabaseUnavailable
                                                   : EndReason::Word::kFailed;
}

}  // namespace

asio::awaitable<Outcome> Engine::run(pg::Lane& lane, const Flow& flow, Request request) const {
  LeaseRelease left{new_lease(request), {}};
  Lease& lease = left.lease;
  // True once a claim has taken the key, or may have taken it.
  bool may_hold = false;
  // True once a commit was in doubt. One of our own in-doubt transactions may have taken the lease. Then keep
  // the key id, so that its result does not count as a replay.
  bool was_in_doubt = false;
  std::exception_ptr error;
  for (int claims = 0; claims < kMaxClaims; ++claims) {
    bool claimed = false;
    std::optional<Outcome> outcome;
    error = nullptr;
    try {
      outcome = co_await attempt(lane, flow, request, lease, claimed);
    } catch (...) {
      error = std::current_exception();
    }
    const bool in_doubt = error && is_in_doubt(error);
    was_in_doubt = was_in_doubt || in_doubt;
    left.claim_in_doubt = left.claim_in_doubt || (in_doubt && !claimed);
    may_hold = may_hold || claimed || (error && !had_no_effect(error));
    if (outcome) {
      if (left.claim_in_doubt && std::holds_alternative<Refusal>(*outcome)) {
        left.reason = {EndReason::Word::kDatabaseUnavailable, "refused after a claim in doubt"};
        release_later(lane, left);
      }
      co_return ended(outcome_of(lease, std::move(*outcome)));
    }
    if (error && !in_doubt) break;
    // After a commit in doubt, the next claim reads the key and tells how far we got. It takes a new token,
    // because a transaction still under way under the old token may hold another answer than the one that we
    // shall get.
    replace_token(lease);
    if (!was_in_doubt) lease.key_id = time_ordered_uuid();
  }
  co_return co_await give_up(lane, std::move(left), may_hold, error);
}

asio::awaitable<Known> Engine::look_up(pg::Lane& lane, const Flow& flow, const Request& request) const {
  const Lease looking = new_lease(request);
  pg::Unit unit = unit_of(looking, idempotency::look_up(request, options_.lease_time, flow.claim_only()));
  const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  note_key(*looking.ids, results.front());
  const ClaimResult result = read_claim(results.front(), {});
  if (const auto* response = std::get_if<Response>(&result)) co_return Known{*response};
  if (const auto* refusal = std::get_if<Refusal>(&result)) co_return Known{*refusal};
  co_return Known{std::nullopt, std::get<ClaimAgain>(result).is_stored};
}

asio::awaitable<Outcome> Engine::resume(pg::Lane& lane, const Flow& flow, Lease lease,
                                        std::string recovery_point) const {
  lease.is_retry = true;
  if (!lease.ids) lease.ids = std::make_shared<RequestIds>();
  lease.ids->key_id = lease.key_id;
  const HeldLeases::Entry held(held_, lease);
  std::exception_ptr error;
  try {
    const Stretch& stretch = flow.from(recovery_point);
    const auto since = std::chrono::steady_clock::now();
    std::vector<pg::Result> results = co_await lane.commit(resumption(flow, lease, recovery_point));
    std::optional<Progress> progress = progress_after(flow, stretch, results);
    std::optional<Outcome> outcome;
    if (progress) {
      stretch_ended(flow, recovery_point, since);
      outcome = co_await advance(lane, flow, lease, std::move(*progress), false);
    }
    if (outcome) co_return ended(std::move(*outcome));
  } catch (...) {
    error = std::current_exception();
  }
  LeaseRelease left{std::move(lease), {}};
  co_return co_await give_up(lane, std::move(left), true, error);
}

asio::awaitable<std::size_t> Engine::release_leases(pg::Lane& lane) const {
  const std::vector<Lease> leases = held_.all();
  if (leases.empty()) co_return 0;
  const EndReason stopped{EndReason::Word::kStopped, "released by a process that stopped"};
  pg::Unit unit;
  for (const Lease& lease : leases) {
    unit.queries.push_back(release(lease, options_.worker, stopped));
  }
  unit.exclusive = true;
  const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  std::size_t keys = 0;
  for (const pg::Result& released : results) keys += static_cast<std::size_t>(released.rows());
  co_return keys;
}

asio::awaitable<void> Engine::release_lease(pg::Lane& lane, Lease lease, EndReason reason) const {
  LeaseRelease left{std::move(lease), std::move(reason)};
  const bool is_done = co_await release_now(lane, options_.worker, left);
  if (!is_done) release_later(lane, std::move(left));
}

void Engine::release_later(pg::Lane& lane, LeaseRelease left) const {
  asio::co_spawn(lane.executor(),
                 release_when_possible(lane, held_, options_.worker, std::move(left), options_.lease_time),
                 asio::detached);
}

// The first transaction of an attempt on a key that stands at `recovery_point`.
pg::Unit Engine::resumption(const Flow& flow, const Lease& lease, const std::string& recovery_point) const {
  const Stretch& stretch = flow.from(recovery_point);
  return unit_of(flow, lease,
                 with_history(lease, options_.worker, recovery_point, stretch.next_call == nullptr,
                              queries_of(stretch, lease)));
}

// Makes one claim and goes on from there. Returns nullopt when the caller must claim again. `claimed` becomes
// true once the lease is known to be ours.
//
// The claim and the first stretch of a new request travel together, as one statement where that is possible.
// If the claim did not make a new key, the stretch finds no row with this id and does nothing.
asio::awaitable<std::optional<Outcome>> Engine::attempt(pg::Lane& lane, const Flow& flow,
                                                        const Request& request, Lease& lease,
                                                        bool& claimed) const {
  const Stretch& first = flow.from(kStarted);
  std::vector<pg::Query> queries;
  const ComposedStatement* both = flow.claim_and_begin();
  queries.push_back(claim(request, lease, options_.lease_time, both != nullptr ? *both : flow.claim_only()));
  if (both == nullptr) {
    for (pg::Query& each : queries_of(first, lease)) queries.push_back(std::move(each));
  }
  auto since = std::chrono::steady_clock::now();
  std::vector<pg::Result> results = co_await lane.commit(unit_of(flow, lease, std::move(queries)));

  const ClaimResult result = read_claim(results.front(), lease);
  note_key(*lease.ids, results.front());
  if (std::holds_alternative<ClaimAgain>(result)) co_return std::nullopt;
  if (const auto* response = std::get_if<Response>(&result)) co_return *response;
  if (const auto* refusal = std::get_if<Refusal>(&result)) co_return *refusal;
  const auto& key = std::get<Claimed>(result);
  lease.made_key = lease.made_key || key.key_id == lease.key_id;
  lease.key_id = key.key_id;
  claimed = true;
  const HeldLeases::Entry held(held_, lease);

  std::optional<Progress> progress;
  if (both == nullptr || key.is_new) progress = progress_after(flow, first, results);
  lease.is_retry = !progress;
  if (progress) {
    stretch_ended(flow, kStarted, since);
  } else {
    since = std::chrono::steady_clock::now();
    const Stretch& rest = flow.from(key.recovery_point);
    results = co_await lane.commit(resumption(flow, lease, key.recovery_point));
    progress = progress_after(flow, rest, results);
    if (progress) stretch_ended(flow, key.recovery_point, since);
  }
  if (!progress) co_return std::nullopt;
  co_return co_await advance(lane, flow, lease, std::move(*progress), request.raise_error);
}

// Goes from one foreign call to the next until there is an answer. Returns nullopt if the lease was lost.
asio::awaitable<std::optional<Outcome>> Engine::advance(pg::Lane& lane, const Flow& flow, const Lease& lease,
                                                        Progress progress, bool raise_error) const {
  const RequestIds& ids = *lease.ids;
  while (const auto* pending = std::get_if<PendingCall>(&progress.next)) {
    const ForeignPhase& phase = *pending->phase;
    if (raise_error) throw std::runtime_error("raise_error was asked for");
    const ForeignOutcome outcome = co_await phase.call(pending->needed, lease.ids);

    const std::string here(pending->needed.text(0, "recovery_point"));
    const Stretch ending;
    const Stretch* stretch = &ending;
    std::vector<pg::Query> queries;
    if (const auto* recorded = std::get_if<Recorded>(&outcome)) {
      stretch = &flow.after_call(here);
      queries = queries_of(*stretch, lease, recorded->value);
    } else if (const auto* ended = std::get_if<Ended>(&outcome)) {
      if (!ended->note.empty()) {
        log_.info("ended",
                  {ids.key_field(),
                   {"point", here},
                   {"status", ended->status},
                   {"note", ended->note},
                   ids.request_field(),
                   ids.trace_field()},
                  "ended at {point} with {status}: {note}");
      }
      queries.push_back(finish(lease, here, ended->status, ended->body, ended->note));
    } else if (const auto* unanswered = std::get_if<Unanswered>(&outcome)) {
      log_.warn("released",
                {ids.key_field(),
                 {"point", here},
                 {"error", unanswered->reason},
                 ids.request_field(),
                 ids.trace_field()},
                "released at {point}, for a retry or the completer to go on: {error}");
      pg::Unit unit =
          unit_of(lease, release(lease, options_.worker, {EndReason::Word::kNoAnswer, unanswered->reason}));
      co_await lane.commit(std::move(unit));
      co_return Refusal{RefusalKind::kForeignUnavailable};
    } else {
      const auto& reason = std::get<NeedsPerson>(outcome).reason;
      log_.warn("parked",
                {ids.key_field(), {"point", here}, {"error", reason}, ids.request_field(), ids.trace_field()},
                "parked at {point}, for a person to look at: {error}");
      pg::Unit unit = unit_of(lease, park(lease, options_.worker, reason));
      co_await lane.commit(std::move(unit));
      co_return Refusal{RefusalKind::kParked};
    }

    if (stretch->next_call == nullptr) {
      queries = with_history(lease, options_.worker, here, true, std::move(queries));
    }
    const auto since = std::chrono::steady_clock::now();
    std::vector<pg::Result> results = co_await lane.commit(unit_of(flow, lease, std::move(queries)));
    std::optional<Progress> next = progress_after(flow, *stretch, results);
    if (!next) co_return std::nullopt;
    stretch_ended(flow, here, since);
    progress = std::move(*next);
  }
  co_return std::get<Response>(std::move(progress.next));
}

// Ends an attempt that has no answer, and leaves the key at its recovery point for the next one. `error` is
// null if the lease was lost.
asio::awaitable<Outcome> Engine::give_up(pg::Lane& lane, LeaseRelease left, bool may_hold,
                                         std::exception_ptr error) const {
  AttemptError failure =
      error ? describe(error) : AttemptError{RefusalKind::kInProgress, "the lease was lost"};
  if (error) {
    const RequestIds& ids = *left.lease.ids;
    log_.warn("attempt failed",
              {ids.key_field(), {"error", failure.text}, ids.request_field(), ids.trace_field()},
              "attempt failed; a retry or the completer goes on: {error}");
  }
  if (!may_hold) co_return ended(Refusal{failure.kind});
  left.reason = {word_of(failure.kind), std::move(failure.text)};
  const Refusal refusal{failure.kind, left.lease.made_key || left.claim_in_doubt};
  // The client is not kept waiting for a database that is away.
  bool is_done = false;
  if (!left.claim_in_doubt && failure.kind != RefusalKind::kDatabaseUnavailable) {
    is_done = co_await release_now(lane, options_.worker, left);
  }
  if (!is_done) release_later(lane, std::move(left));
  co_return ended(refusal);
}

}  // namespace rocket::idempotency
