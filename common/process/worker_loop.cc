#include "rocket/process/worker_loop.h"

#include <string>

#include "rocket/base/backoff.h"

namespace rocket::process {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kLongestBackoff{5000};

}  // namespace

void WorkerLoop::run(StopSignal& stop, const Log& log, const std::function<std::int64_t()>& run_once) const {
  Backoff backoff(kFirstBackoff, kLongestBackoff);
  std::string reason;
  while (!stop.requested()) {
    try {
      const std::int64_t done = run_once();
      if (!reason.empty()) log.info("working again");
      backoff.reset();
      reason.clear();
      if (done < full_batch) stop.wait_for(idle);
    } catch (const std::exception& error) {
      if (reason != error.what()) log.warn("cannot work", {{"error", error.what()}});
      reason = error.what();
      stop.wait_for(backoff.next());
    }
  }
}

}  // namespace rocket::process
