#pragma once

#include <chrono>
#include <thread>

namespace rocket::spec {

// True as soon as `condition` is; false when it is not within the limit. For what another thread or process
// does in its own time: the limit is generous, and reaching it is a failure.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(15)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace rocket::spec
