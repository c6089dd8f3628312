#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rocket/base/log.h"
#include "rocket/idempotency/engine_observer.h"
#include "rocket/idempotency/flow.h"
#include "rocket/idempotency/held_leases.h"
#include "rocket/idempotency/keys.h"
#include "rocket/idempotency/lease_release.h"
#include "rocket/idempotency/request.h"
#include "rocket/idempotency/stretch.h"
#include "rocket/idempotency/times.h"
#include "rocket/pg/lane.h"

namespace rocket::idempotency {

struct EngineOptions {
  // How long a lease lasts after its claim. An attempt that stalls for longer may lose the key.
  std::chrono::seconds lease_time = kLeaseTime;
  Worker worker{};
};

// What is known of a request without an attempt.
struct Known {
  // The answer to a finished request, or the reason why no attempt may be made. Empty if only an attempt can
  // tell.
  std::optional<Outcome> outcome;
  // The key is stored, so an attempt would go on with it and make no new one.
  bool is_stored = true;
};

// Takes a request through the phases of its flow, from the recovery point of its key to an answer.
//
// Used by `api` for requests as they come in, and by `completer` for those that were abandoned. Any number of
// requests may be under way at once; each runs as a coroutine on the executor of one lane.
class Engine {
 public:
  // `log` must outlive the engine, and the engine and the flows must outlive the lanes. `observer` may be
  // null; otherwise it must outlive the lanes too.
  Engine(EngineOptions options, const Log& log, EngineObserver* observer = nullptr)
      : options_(std::move(options)), log_(log), observer_(observer) {}

  std::chrono::seconds lease_time() const { return options_.lease_time; }
  const Worker& worker() const { return options_.worker; }

  // Claims the request's key and takes the request as far as it goes. Never throws. Safe to repeat: the same
  // request then gets the same answer.
  asio::awaitable<Outcome> run(pg::Lane& lane, const Flow& flow, Request request) const;

  // Makes no attempt and writes nothing. Throws database errors.
  asio::awaitable<Known> look_up(pg::Lane& lane, const Flow& flow, const Request& request) const;

  // Goes on with a key whose lease the caller holds already. Never throws.
  asio::awaitable<Outcome> resume(pg::Lane& lane, const Flow& flow, Lease lease,
                                  std::string recovery_point) const;

  // For a caller that holds a lease and cannot work on its key. Releases the lease, now or as soon as the
  // database can be reached. Never throws.
  asio::awaitable<void> release_lease(pg::Lane& lane, Lease lease, EndReason reason) const;

  // For a process that must stop now. Releases every key that is still worked on or still waits to be
  // released; the attempts on these keys can write nothing any more. Returns how many keys were held. Throws
  // database errors.
  asio::awaitable<std::size_t> release_leases(pg::Lane& lane) const;

 private:
  pg::Unit resumption(const Flow& flow, const Lease& lease, const std::string& recovery_point) const;
  asio::awaitable<std::optional<Outcome>> attempt(pg::Lane& lane, const Flow& flow, const Request& request,
                                                  Lease& lease, bool& claimed) const;
  asio::awaitable<std::optional<Outcome>> advance(pg::Lane& lane, const Flow& flow, const Lease& lease,
                                                  Progress progress, bool raise_error) const;
  asio::awaitable<Outcome> give_up(pg::Lane& lane, LeaseRelease left, bool may_hold,
                                   std::exception_ptr error) const;
  void release_later(pg::Lane& lane, LeaseRelease left) const;
  // Both tell the observer.
  Outcome ended(Outcome outcome) const {
    if (observer_ != nullptr) observer_->attempt_ended(outcome);
    return outcome;
  }
  void stretch_ended(const Flow& flow, std::string_view recovery_point,
                     std::chrono::steady_clock::time_point since) const {
    if (observer_ == nullptr) return;
    observer_->stretch_ended(flow, recovery_point, std::chrono::steady_clock::now() - since);
  }

  EngineOptions options_;
  const Log& log_;
  EngineObserver* observer_;
  // Bookkeeping only; thread safe.
  mutable HeldLeases held_;
};

}  // namespace rocket::idempotency
