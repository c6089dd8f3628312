#pragma once

#include <chrono>
#include <cstddef>

namespace rocket::pg {

// Is told what lanes do, for metrics. Each lane calls it on its own thread, and waits for it. So it must be
// thread safe and quick, and must not throw.
class LaneObserver {
 public:
  virtual ~LaneObserver() = default;

  // A lane has connected.
  virtual void connected() = 0;
  // A lane has noticed that it has lost its connection. An idle lane notices it with its next work.
  virtual void disconnected() = 0;
  // A transaction with this number of units was committed, in one round trip of this duration.
  virtual void committed(std::size_t units, std::chrono::nanoseconds duration) = 0;
};

}  // namespace rocket::pg
