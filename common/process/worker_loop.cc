#include "rocket/process/worker_loop.h"

#include <algorithm>
#include <random>
#include <string>

namespace rocket::process {
namespace {

constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kLongestBackoff{5000};

}  // namespace

void WorkerLoop::run(StopSignal& stop, const Log& log, const std::function<std::int64_t()>& run_once) const {
  std::minstd_rand random{std::random_device{}()};
  std::chrono::milliseconds backoff{0};
  std::string reason;
  while (!stop.requested()) {
    try {
      const std::int64_t done = run_once();
      if (backoff.count() > 0) log.info("working again");
      backoff = std::chrono::milliseconds(0);
      reason.clear();
      if (done < full_batch) stop.wait_for(idle);
    } catch (const std::exception& error) {
      if (reason != error.what()) log.warn("cannot work", {{"error", error.what()}});
      reason = error.what();
      backoff = std::clamp(backoff * 2, kFirstBackoff, kLongestBackoff);
      std::uniform_int_distribution<std::int64_t> jitter(backoff.count() / 2, backoff.count());
      stop.wait_for(std::chrono::milliseconds(jitter(random)));
    }
  }
}

}  // namespace rocket::process
