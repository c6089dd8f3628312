#pragma once

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

namespace rocket {

// Returns what `work` returns, or throws what it throws. It is for work that nothing can interrupt: the work
// has a thread of its own, and when the deadline passes, the thread goes on alone and this throws
// std::runtime_error. So the work must own everything that it uses.
template <typename Work>
auto run_with_deadline(Work work, std::chrono::steady_clock::time_point deadline) {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  if (result.wait_until(deadline) != std::future_status::ready) throw std::runtime_error("no answer in time");
  return result.get();
}

}  // namespace rocket
