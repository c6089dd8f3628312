#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace rocket::spec {

// Waits until `condition` is true. Returns false if it is still false at the limit. Use it to wait for
// another thread or process. The limit is generous, so reaching it is a failure.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(15)) {
  const auto begin = std::chrono::steady_clock::now();
  while (!condition()) {
    const auto waited = std::chrono::steady_clock::now() - begin;
    if (waited > limit) return false;
    // Asks less often the longer it has waited, because asking costs processor time.
    std::this_thread::sleep_for(std::clamp<std::chrono::nanoseconds>(waited / 8, std::chrono::milliseconds(1),
                                                                     std::chrono::milliseconds(50)));
  }
  return true;
}

}  // namespace rocket::spec
