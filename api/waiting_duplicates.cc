#include "api/waiting_duplicates.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <exception>
#include <iterator>
#include <limits>
#include <utility>

#include "api/queries.h"

namespace rocket::api {
namespace {

using idempotency::Outcome;
using idempotency::Refusal;
using idempotency::RefusalKind;
using idempotency::Response;

// The time between two looks at the database.
constexpr std::chrono::milliseconds kPause{50};
constexpr std::size_t kKeysPerStatement = 256;
// How many waiters of a key without an answer may make an attempt after one look. One of them gets the key,
// and the others wait again, so a crowd does not fill the lane with claims that are in vain. But if the key
// is parked, or was deleted because its request was refused, each of them is refused too.
constexpr std::size_t kAttemptsPerLook = 8;

// A key that is gone has no row, and so no lock.
constexpr pg::Statement kFindEndedAttempts{"find_ended_attempts", R"sql(
SELECT asked.id, k.response_code, k.response_body
  FROM unnest($1::uuid[]) AS asked (id) LEFT JOIN idempotency_keys k ON k.id = asked.id
 WHERE k.locked_at IS NULL OR k.locked_at < now() - make_interval(secs => $2::int)
)sql"};

// Returns nullopt if the next attempt is a waiter's, or if only an attempt can tell.
std::optional<Outcome> outcome_in(const pg::Result& result, int row) {
  if (result.is_null(row, "response_code")) return std::nullopt;
  return Response{static_cast<int>(result.integer(row, "response_code")),
                  std::string(result.text(row, "response_body")), true};
}

}  // namespace

void WaitingDuplicates::add(const std::string& key_id, Waiter waiter) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    if (!is_stopped_) {
      waiting_[key_id].push_back(std::move(waiter));
      is_first = !std::exchange(is_watching_, true);
    }
  }
  if (waiter) return end_early(std::move(waiter));
  if (is_first) watch_later();
}

void WaitingDuplicates::stop() {
  std::map<std::string, std::deque<Waiter>> all;
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    all.swap(waiting_);
  }
  for (auto& [key_id, waiters] : all) {
    for (Waiter& each : waiters) end_early(std::move(each));
  }
}

// Takes the freest lane each time, so a lane that loses its database holds up one look only.
void WaitingDuplicates::watch_later() {
  pg::Lanes::Slot slot = lanes_.enter();
  const auto executor = slot.lane().executor();
  asio::co_spawn(executor, watch(std::move(slot)), asio::detached);
}

asio::awaitable<void> WaitingDuplicates::watch(pg::Lanes::Slot slot) {
  asio::steady_timer pause(slot.lane().executor(), kPause);
  co_await pause.async_wait(asio::use_awaitable);
  try {
    co_await look(slot.lane());
  } catch (const std::exception&) {
    // The database is away. They go on waiting, and have their answer at the end of their time at the latest.
  }
  end_overdue();
  {
    const std::lock_guard lock(mutex_);
    is_watching_ = !waiting_.empty();
    if (!is_watching_) co_return;
  }
  watch_later();
}

asio::awaitable<void> WaitingDuplicates::look(pg::Lane& lane) {
  const std::vector<std::string> all = keys();
  for (auto begin = all.begin(); begin != all.end();) {
    const auto left = static_cast<std::size_t>(all.end() - begin);
    const auto end = std::next(begin, static_cast<std::ptrdiff_t>(std::min(left, kKeysPerStatement)));
    pg::Query query = find_ended_attempts({begin, end}, lease_time_);
    const pg::Result ended = co_await run(lane, std::move(query));
    for (int row = 0; row < ended.rows(); ++row) {
      const std::optional<Outcome> outcome = outcome_in(ended, row);
      const std::size_t at_most = outcome ? std::numeric_limits<std::size_t>::max() : kAttemptsPerLook;
      for (Waiter& each : take(std::string(ended.text(row, "id")), at_most)) go_on_(std::move(each), outcome);
    }
    begin = end;
  }
}

// The preference was not honoured, so the answer must not say so.
void WaitingDuplicates::end_early(Waiter waiter) {
  waiter->wait.reset();
  go_on_(std::move(waiter), Refusal{RefusalKind::kInProgress});
}

void WaitingDuplicates::end_overdue() {
  std::vector<Waiter> overdue;
  std::vector<Waiter> gone;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    for (auto& [key_id, waiters] : waiting_) {
      for (Waiter& each : waiters) {
        if (now >= each->since + *each->wait) {
          overdue.push_back(std::move(each));
        } else if (each->responses->has_ended(each->from)) {
          gone.push_back(std::move(each));
        }
      }
      std::erase(waiters, nullptr);
    }
    std::erase_if(waiting_, [](const auto& key) { return key.second.empty(); });
  }
  for (Waiter& each : overdue) go_on_(std::move(each), Refusal{RefusalKind::kInProgress});
  for (Waiter& each : gone) end_early(std::move(each));
}

std::vector<std::string> WaitingDuplicates::keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  keys.reserve(waiting_.size());
  for (const auto& [key_id, waiters] : waiting_) keys.push_back(key_id);
  return keys;
}

std::vector<WaitingDuplicates::Waiter> WaitingDuplicates::take(const std::string& key_id,
                                                               std::size_t at_most) {
  std::vector<Waiter> taken;
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(key_id);
  if (found == waiting_.end()) return taken;
  auto& waiters = found->second;
  for (; !waiters.empty() && taken.size() < at_most; waiters.pop_front()) {
    taken.push_back(std::move(waiters.front()));
  }
  if (waiters.empty()) waiting_.erase(found);
  return taken;
}

pg::Query find_ended_attempts(const std::vector<std::string>& key_ids, std::chrono::seconds lease_time) {
  // UUIDs need no quoting inside an array.
  std::string array = "{";
  for (const std::string& id : key_ids) array.append(array.size() > 1 ? "," : "").append(id);
  return {kFindEndedAttempts, {array + '}', std::to_string(lease_time.count())}};
}

std::vector<pg::Statement> waiting_statements() { return {kFindEndedAttempts}; }

}  // namespace rocket::api
