#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace rocket::spec {

// True as soon as `condition` is; false when it is not within the limit. For what another thread or process
// does in its own time: the limit is generous, and reaching it is a failure.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(15)) {
  const auto begin = std::chrono::steady_clock::now();
  while (!condition()) {
    const auto waited = std::chrono::steady_clock::now() - begin;
    if (waited > limit) return false;
    // What takes long is asked for less often: asking costs processor time too.
    std::this_thread::sleep_for(std::clamp<std::chrono::nanoseconds>(waited / 8, std::chrono::milliseconds(1),
                                                                     std::chrono::milliseconds(50)));
  }
  return true;
}

}  // namespace rocket::spec
