#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "rocket/base/log.h"
#include "rocket/process/stop_signal.h"

namespace rocket::process {

struct WorkerLoop {
  // A run that did this much probably left more work, so the next run follows at once.
  std::int64_t full_batch = 1000;
  // Pause after a run that did less.
  std::chrono::milliseconds idle{5000};

  // Calls run_once, which returns how much it did, until told to stop. When it throws, the loop logs why,
  // once per outage and reason, and tries again with growing pauses.
  void run(StopSignal& stop, const Log& log, const std::function<std::int64_t()>& run_once) const;
};

}  // namespace rocket::process
