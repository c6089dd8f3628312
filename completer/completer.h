#pragma once

#include <asio/awaitable.hpp>
#include <cstdint>
#include <vector>

#include "base/log.h"
#include "completer/abandoned_keys.h"
#include "idempotency/engine.h"
#include "idempotency/flow.h"
#include "pg/lanes.h"
#include "process/stop_signal.h"

namespace rocket::completer {

// Pushes abandoned requests to their end, through the same engine that answers clients.
class Completer {
 public:
  // Everything passed by reference must outlive the completer.
  Completer(pg::Lanes& lanes, const idempotency::Engine& engine, const idempotency::Flows& flows,
            const Log& log, Patience patience, std::int64_t batch);

  // Takes up to one batch of abandoned keys and works on all of them at once; returns how many those were,
  // when the last one has ended, one way or another, or when the process has to stop and cannot wait longer.
  // Must be run off the lanes' threads. Throws database errors of the taking alone.
  std::int64_t run_once(const process::StopSignal& stop);

 private:
  std::vector<AbandonedKey> take_some();
  asio::awaitable<std::vector<AbandonedKey>> take(pg::Lane& lane);
  asio::awaitable<void> complete(pg::Lanes::Place place, AbandonedKey key);

  pg::Lanes& lanes_;
  const idempotency::Engine& engine_;
  const idempotency::Flows& flows_;
  const Log& log_;
  Patience patience_;
  std::int64_t batch_;
};

}  // namespace rocket::completer
