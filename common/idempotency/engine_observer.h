#pragma once

#include <chrono>
#include <string_view>

#include "rocket/idempotency/flow.h"
#include "rocket/idempotency/request.h"

namespace rocket::idempotency {

// Is told what an engine does, for metrics. It is called on the threads of the lanes, which wait for it. So
// it must be thread safe and quick, and must not throw.
class EngineObserver {
 public:
  virtual ~EngineObserver() = default;

  // A stretch that began at this recovery point was committed, this time after it was given to its lane. The
  // stretch behind a foreign call begins at the recovery point of the call.
  virtual void stretch_ended(const Flow& flow, std::string_view recovery_point,
                             std::chrono::nanoseconds duration) = 0;
  // An attempt has ended, with an answer or without one.
  virtual void attempt_ended(const Outcome& outcome) = 0;
};

}  // namespace rocket::idempotency
