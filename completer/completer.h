#pragma once

#include <asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>

#include "completer/abandoned_keys.h"
#include "completer/completion_metrics.h"
#include "completer/key_taker.h"
#include "rocket/base/log.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/idempotency/engine.h"
#include "rocket/pg/lanes.h"
#include "rocket/process/stop_signal.h"

namespace rocket::completer {

// Finishes abandoned requests with the same engine that answers clients.
class Completer {
 public:
  // Everything passed by reference must outlive the completer.
  Completer(pg::Lanes& lanes, const idempotency::Engine& engine, const endpoints::Endpoints& endpoints,
            const Log& log, AbandonmentPolicy policy, std::int64_t batch, CompletionMetrics& metrics);

  // Takes up to one batch of abandoned keys and works on all of them at once. Returns the number of keys
  // taken, once all attempts have ended, or earlier if the process has to stop and cannot wait longer. Must
  // be run off the lanes' threads. Throws database errors of the taking only. If a taking is in doubt, the
  // next runs release its keys.
  std::int64_t run_once(const process::StopSignal& stop);

  // For a process that must stop now: releases all keys that it holds or may hold. Returns their number;
  // throws database errors. Must not be called while run_once() runs.
  asio::awaitable<std::size_t> release_leases(pg::Lane& lane) const;

 private:
  asio::awaitable<void> work_on(pg::Lanes::Slot slot, AbandonedKey key);
  asio::awaitable<void> complete(pg::Lanes::Slot slot, const idempotency::Flow& flow, AbandonedKey key);
  asio::awaitable<void> park(pg::Lanes::Slot slot, AbandonedKey key);

  pg::Lanes& lanes_;
  const idempotency::Engine& engine_;
  const endpoints::Endpoints& endpoints_;
  const Log& log_;
  CompletionMetrics& metrics_;
  KeyTaker taker_;
};

}  // namespace rocket::completer
