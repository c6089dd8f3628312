#include "completer/completer.h"

#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <exception>
#include <future>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace rocket::completer {
namespace {

// How long attempts may go on after a stop signal. Then the leases of unfinished ones are released.
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
    case RefusalKind::kUnknownOwner:
    case RefusalKind::kKeyReused:
    case RefusalKind::kInternal:
      break;
  }
  return "failed, later again";
}

}  // namespace

Completer::Completer(pg::Lanes& lanes, const idempotency::Engine& engine,
                     const endpoints::Endpoints& endpoints, const Log& log, AbandonmentPolicy policy,
                     std::int64_t batch, CompletionMetrics& metrics)
    : lanes_(lanes),
      engine_(engine),
      endpoints_(endpoints),
      log_(log),
      metrics_(metrics),
      taker_(lanes, log, policy, batch, engine.worker(), metrics) {}

std::int64_t Completer::run_once(const process::StopSignal& stop) {
  std::vector<AbandonedKey> keys = taker_.take();
  std::vector<std::future<void>> under_way;
  under_way.reserve(keys.size());
  const auto count = static_cast<std::int64_t>(keys.size());
  for (AbandonedKey& key : keys) {
    pg::Lanes::Slot slot = lanes_.enter(key.lease.key);
    const asio::any_io_executor executor = slot.lane().executor();
    under_way.push_back(asio::co_spawn(executor, work_on(std::move(slot), std::move(key)), asio::use_future));
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

asio::awaitable<std::size_t> Completer::release_leases(pg::Lane& lane) const {
  const std::int64_t taken = co_await taker_.give_back(lane);
  const std::size_t held = co_await engine_.release_leases(lane);
  co_return static_cast<std::size_t>(taken) + held;
}

// Parks a key whose endpoint this program does not know. Only a program that knows it could go on.
asio::awaitable<void> Completer::park(pg::Lanes::Slot slot, AbandonedKey key) {
  pg::Lane& lane = slot.lane();
  pg::Unit unit;
  unit.ids = key.lease.ids;
  unit.queries.push_back(
      idempotency::park(key.lease, engine_.worker(), "no such endpoint: " + key.method + " " + key.path));
  std::string mistake;
  try {
    co_await lane.commit(std::move(unit));
  } catch (const std::exception& error) {
    mistake = error.what();
  }
  const RequestIds& ids = *key.lease.ids;
  if (mistake.empty()) {
    metrics_.note_parked();
    log_.warn(
        "parked",
        {ids.key_field(), {"point", key.recovery_point}, {"error", "no such endpoint"}, ids.trace_field()},
        "parked at {point}, for a person to look at: {error}");
    co_return;
  }
  log_.warn("cannot park", {ids.key_field(), {"error", mistake}, ids.trace_field()});
  idempotency::EndReason reason{idempotency::EndReason::Word::kFailed, std::move(mistake)};
  co_await engine_.release_lease(lane, std::move(key.lease), std::move(reason));
}

asio::awaitable<void> Completer::work_on(pg::Lanes::Slot slot, AbandonedKey key) {
  const endpoints::Endpoint* endpoint = endpoints_.find(key.method, key.path);
  if (endpoint == nullptr) return park(std::move(slot), std::move(key));
  return complete(std::move(slot), endpoint->flow, std::move(key));
}

asio::awaitable<void> Completer::complete(pg::Lanes::Slot slot, const idempotency::Flow& flow,
                                          AbandonedKey key) {
  pg::Lane& lane = slot.lane();
  const SharedRequestIds ids = key.lease.ids;
  const std::string point = key.recovery_point;
  const std::int64_t attempt = key.attempt;
  const idempotency::Outcome outcome = co_await engine_.resume(lane, flow, std::move(key.lease), point);
  metrics_.note(outcome);
  if (const auto* response = std::get_if<idempotency::Response>(&outcome)) {
    log_.info("completed",
              {ids->key_field(),
               {"point", point},
               {"attempt", attempt},
               {"status", response->status},
               ids->trace_field()},
              "completed an abandoned request, from {point} on, at attempt {attempt}: {status}");
  } else {
    log_.warn("not completed",
              {ids->key_field(),
               {"point", point},
               {"attempt", attempt},
               {"outcome", describe(std::get<idempotency::Refusal>(outcome).kind)},
               ids->trace_field()},
              "not completed, at {point}, at attempt {attempt}: {outcome}");
  }
}

}  // namespace rocket::completer
