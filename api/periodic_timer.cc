#include "api/periodic_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace rocket::api {

PeriodicTimer::PeriodicTimer(std::chrono::nanoseconds interval)
    : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (timer_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(interval);
  itimerspec times{};
  times.it_interval.tv_sec = seconds.count();
  times.it_interval.tv_nsec = (interval - seconds).count();
  times.it_value = times.it_interval;
  ::timerfd_settime(timer_, 0, &times, nullptr);
}

PeriodicTimer::~PeriodicTimer() { ::close(timer_); }

void PeriodicTimer::acknowledge() const {
  std::uint64_t count = 0;
  // Whether there was anything to read does not matter.
  [[maybe_unused]] const auto size = ::read(timer_, &count, sizeof count);
}

}  // namespace rocket::api
