#include "rocket/jobs/log_queue.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "rocket/base/request_ids.h"

namespace rocket::jobs {
namespace {

using Clock = std::chrono::steady_clock;

// Time limit for a batch. It is below the limit of a transaction, because the transaction waits for the
// batch.
constexpr std::chrono::seconds kTimeLimit{3};
// Far fewer bytes than the log has room for.
constexpr std::size_t kMaxUnflushedBytes = 256U << 10U;

}  // namespace

void LogQueue::push(std::span<const Job> jobs) {
  const auto deadline = Clock::now() + kTimeLimit;
  // Lines that still wait may be these same jobs, from a push that failed. If nobody takes them, do not write
  // the jobs a second time.
  flush(deadline);
  const std::uint64_t dropped = log_.dropped();
  std::size_t unflushed = 0;
  for (const Job& job : jobs) {
    const RequestIds ids{.traceparent = job.traceparent};
    log_.info("job", {{"job_id", job.id}, {"job_name", job.name}, {"job_args", job.args}, ids.trace_field()});
    unflushed += job.name.size() + job.args.size();
    if (unflushed > kMaxUnflushedBytes) {
      flush(deadline);
      unflushed = 0;
    }
  }
  flush(deadline);
  if (log_.dropped() != dropped) throw std::runtime_error("the log did not take all jobs");
}

void LogQueue::flush(Clock::time_point deadline) const {
  if (!log_.flush(std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()))) {
    throw std::runtime_error("nobody takes the log's lines");
  }
}

}  // namespace rocket::jobs
