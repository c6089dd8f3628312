#include "simulator/pacer.h"

#include <algorithm>
#include <condition_variable>

namespace rocket::simulator {

bool pause(const std::stop_token& stop, std::chrono::steady_clock::duration duration) {
  std::mutex mutex;
  std::condition_variable_any never_notified;
  std::unique_lock lock(mutex);
  never_notified.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

Pacer::Pacer(double rate)
    : interval_(rate > 0
                    ? std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate))
                    : Clock::duration::zero()) {}

bool Pacer::wait_turn(const std::stop_token& stop) {
  if (interval_ == Clock::duration::zero()) return !stop.stop_requested();
  Clock::time_point turn;
  {
    const std::lock_guard lock(mutex_);
    // Turns that nobody took are lost, so that no flood follows an outage. A turn may be one interval late.
    turn = std::max(next_, Clock::now() - interval_);
    next_ = turn + interval_;
  }
  return pause(stop, turn - Clock::now());
}

}  // namespace rocket::simulator
