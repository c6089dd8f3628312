#include "completer/key_taker.h"

#include <utility>

#include "rocket/base/ids.h"
#include "rocket/pg/errors.h"
#include "rocket/process/block_on.h"

namespace rocket::completer {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

KeyTaker::KeyTaker(pg::Lanes& lanes, const Log& log, AbandonmentPolicy policy, std::int64_t batch,
                   idempotency::Worker worker, CompletionMetrics& metrics)
    : lanes_(lanes),
      log_(log),
      policy_(policy),
      batch_(batch),
      worker_(std::move(worker)),
      metrics_(metrics) {}

std::vector<AbandonedKey> KeyTaker::take() {
  std::erase_if(doubts_, [&](const Doubt& each) { return Clock::now() - each.since > policy_.lease_time; });
  const pg::Lanes::Slot slot = lanes_.enter();
  const std::string token = random_uuid();
  try {
    return process::block_on(slot.lane().executor(), take_with(slot.lane(), token));
  } catch (const pg::InDoubt&) {
    doubts_.push_back({token, Clock::now()});
    throw;
  }
}

asio::awaitable<std::int64_t> KeyTaker::give_back(pg::Lane& lane) const {
  if (doubts_.empty()) co_return 0;
  std::vector<std::string> tokens;
  for (const Doubt& each : doubts_) tokens.push_back(each.token);
  pg::Unit unit;
  unit.queries.push_back(give_back_taken(tokens, worker_));
  unit.exclusive = true;
  const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  const std::int64_t keys = results.front().affected();
  if (keys > 0) log_.warn("gave back what was taken in doubt", {{"keys", keys}});
  co_return keys;
}

asio::awaitable<std::vector<AbandonedKey>> KeyTaker::take_with(pg::Lane& lane, std::string token) {
  co_await give_back(lane);
  pg::Unit unit;
  unit.queries.push_back(park_hopeless(policy_, batch_, worker_));
  unit.queries.push_back(take_abandoned(policy_, batch_, token));
  // Exclusive, because it locks keys in another order than the phases do. It skips locked keys and waits for
  // none.
  unit.exclusive = true;
  const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  if (const auto parked = results[0].affected(); parked > 0) {
    metrics_.note_given_up(parked);
    log_.warn("parked after too many attempts", {{"keys", parked}});
  }
  co_return read_abandoned(results[1]);
}

}  // namespace rocket::completer
