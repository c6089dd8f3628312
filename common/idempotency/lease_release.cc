#include "rocket/idempotency/lease_release.h"

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <exception>
#include <utility>
#include <vector>

#include "rocket/pg/errors.h"

namespace rocket::idempotency {
namespace {

using std::chrono::milliseconds;

// Pause while the database is away: a try costs nothing then.
constexpr milliseconds kShortPause{200};
// Longest pause while a claim in doubt has not shown up in the database. It may be the only claim of this
// attempt.
constexpr milliseconds kPause{1000};
// Pause if a person has to mend something first, or if the key is free and only a late claim could still
// come.
constexpr milliseconds kLongPause{5000};

enum class Release { kDone, kFoundNothing, kIsRefused, kDatabaseIsAway };

asio::awaitable<Release> release_once(pg::Lane& lane, const Worker& worker, const LeaseRelease& what) {
  pg::Unit unit;
  unit.lock_key = what.lease.key;
  unit.caller = what.lease.caller;
  unit.ids = what.lease.ids;
  unit.queries.push_back(release(what.lease, worker, what.reason));
  try {
    const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
    co_return results.front().empty() ? Release::kFoundNothing : Release::kDone;
  } catch (const pg::StatementFailed& failed) {
    co_return failed.is_temporary() ? Release::kDatabaseIsAway : Release::kIsRefused;
  } catch (const pg::Unavailable&) {
    // This includes a commit in doubt.
    co_return Release::kDatabaseIsAway;
  } catch (const std::exception&) {
    co_return Release::kIsRefused;
  }
}

bool is_settled(Release release, const LeaseRelease& what) {
  return !what.claim_in_doubt && (release == Release::kDone || release == Release::kFoundNothing);
}

milliseconds pause_after(Release release, milliseconds before) {
  switch (release) {
    case Release::kDatabaseIsAway:
      return kShortPause;
    case Release::kFoundNothing:
      return std::min(2 * before, kPause);
    case Release::kDone:
    case Release::kIsRefused:
      break;
  }
  return kLongPause;
}

}  // namespace

asio::awaitable<bool> release_now(pg::Lane& lane, const Worker& worker, const LeaseRelease& what) {
  const Release release = co_await release_once(lane, worker, what);
  co_return is_settled(release, what);
}

asio::awaitable<void> release_when_possible(pg::Lane& lane, HeldLeases& held, const Worker& worker,
                                            LeaseRelease what, std::chrono::seconds lease_time) {
  const HeldLeases::Entry entry(held, what.lease);
  milliseconds pause = kShortPause;
  for (milliseconds waited{0}; waited < lease_time; waited += pause) {
    const Release release = co_await release_once(lane, worker, what);
    if (is_settled(release, what)) co_return;
    pause = pause_after(release, pause);
    asio::steady_timer timer(lane.executor(), pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace rocket::idempotency
