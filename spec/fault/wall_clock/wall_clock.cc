// Loaded before the C library into a program. Shifts the program's wall clock by WALL_CLOCK_SHIFT_S seconds.
// Other clocks, and so timers, do not change. (libfaketime would also change the absolute timers of Asio,
// although they use another clock.)

#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#include <cstdlib>

namespace {

time_t shift() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the program does not change its environment.
  static const char* const seconds = std::getenv("WALL_CLOCK_SHIFT_S");
  return seconds == nullptr ? 0 : std::strtol(seconds, nullptr, 10);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static auto* const real = reinterpret_cast<decltype(clock_gettime)*>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
  return result;
}

int gettimeofday(timeval* now, void* /*zone*/) noexcept {
  timespec exact{};
  const int result = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return result;
}

time_t time(time_t* now) noexcept {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now != nullptr) *now = exact.tv_sec;
  return exact.tv_sec;
}

}  // extern "C"
