#pragma once

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

namespace rocket::jobs {

// What `work` returns or throws, for work that nothing can interrupt. It has a thread of its own, which is
// left behind where it is late; so it must own all that it uses. Throws std::runtime_error then.
template <typename Work>
auto or_leave_behind(Work work, std::chrono::steady_clock::time_point deadline) {
  std::packaged_task<decltype(work())()> task(std::move(work));
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  if (result.wait_until(deadline) != std::future_status::ready) throw std::runtime_error("no answer in time");
  return result.get();
}

}  // namespace rocket::jobs
