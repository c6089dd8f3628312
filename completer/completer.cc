#include "completer/completer.h"

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "process/block_on.h"

namespace rocket::completer {
namespace {

// Time to end what is under way when told to stop; what is left then is handed back.
constexpr std::chrono::seconds kStopTime{6};
constexpr std::chrono::milliseconds kGlance{100};

std::string_view describe(idempotency::RefusalKind kind) {
  using idempotency::RefusalKind;
  switch (kind) {
    case RefusalKind::kInProgress:
      return "lost to another attempt";
    case RefusalKind::kParked:
      return "parked";
    case RefusalKind::kForeignUnavailable:
      return "no answer, later again";
    case RefusalKind::kDatabaseUnavailable:
      return "database away, later again";
    case RefusalKind::kUnknownUser:
    case RefusalKind::kKeyReused:
    case RefusalKind::kInternal:
      break;
  }
  return "failed, later again";
}

}  // namespace

Completer::Completer(pg::Lanes& lanes, const idempotency::Engine& engine, const idempotency::Flows& flows,
                     const Log& log, Patience patience, std::int64_t batch)
    : lanes_(lanes), engine_(engine), flows_(flows), log_(log), patience_(patience), batch_(batch) {}

std::int64_t Completer::run_once(const process::StopSignal& stop) {
  std::vector<AbandonedKey> keys = take_some();
  std::vector<std::future<void>> under_way;
  under_way.reserve(keys.size());
  const auto count = static_cast<std::int64_t>(keys.size());
  for (AbandonedKey& key : keys) {
    pg::Lanes::Place place = lanes_.enter(key.lease.key);
    const asio::any_io_executor executor = place.lane().executor();
    under_way.push_back(
        asio::co_spawn(executor, complete(std::move(place), std::move(key)), asio::use_future));
  }
  std::chrono::steady_clock::time_point stopping_since{};
  for (auto& each : under_way) {
    while (each.wait_for(kGlance) != std::future_status::ready) {
      const auto now = std::chrono::steady_clock::now();
      if (!stop.requested()) continue;
      if (stopping_since == std::chrono::steady_clock::time_point{}) stopping_since = now;
      if (now - stopping_since > kStopTime) return count;
    }
  }
  return count;
}

std::vector<AbandonedKey> Completer::take_some() {
  const pg::Lanes::Place place = lanes_.enter();
  return process::block_on(place.lane().executor(), take(place.lane()));
}

asio::awaitable<std::vector<AbandonedKey>> Completer::take(pg::Lane& lane) {
  pg::Unit unit;
  unit.queries.push_back(park_hopeless(patience_, batch_));
  unit.queries.push_back(take_abandoned(patience_, batch_));
  // It locks keys in another order than the phases do, though it waits for none.
  unit.alone = true;
  const std::vector<pg::Result> results = co_await lane.commit(std::move(unit));
  if (const auto parked = results[0].affected(); parked > 0) {
    log_.warn("parked after too many attempts", {{"keys", parked}});
  }
  co_return read_abandoned(results[1]);
}

asio::awaitable<void> Completer::complete(pg::Lanes::Place place, AbandonedKey key) {
  pg::Lane& lane = place.lane();
  const std::string key_id = key.lease.key_id;
  const std::string point = key.recovery_point;
  const idempotency::Flow* flow = flows_.find(key.method, key.path);
  if (flow == nullptr) {
    // Only a program that knows this endpoint could go on.
    pg::Unit unit;
    unit.queries.push_back(idempotency::park(key.lease, "no such endpoint: " + key.method + " " + key.path));
    try {
      co_await lane.commit(std::move(unit));
      log_.warn("parked", {{"key_id", key_id}, {"point", point}, {"error", "no such endpoint"}});
    } catch (const std::exception& error) {
      log_.warn("cannot park", {{"key_id", key_id}, {"error", error.what()}});
    }
    co_return;
  }
  const std::int64_t attempt = key.attempt;
  const idempotency::Outcome outcome = co_await engine_.resume(lane, *flow, std::move(key.lease), point);
  if (const auto* response = std::get_if<idempotency::Response>(&outcome)) {
    log_.info("completed",
              {{"key_id", key_id}, {"point", point}, {"attempt", attempt}, {"status", response->status}});
  } else {
    log_.warn("not completed", {{"key_id", key_id},
                                {"point", point},
                                {"attempt", attempt},
                                {"outcome", describe(std::get<idempotency::Refusal>(outcome).kind)}});
  }
}

}  // namespace rocket::completer
