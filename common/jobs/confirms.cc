#include "rocket/jobs/confirms.h"

#include <algorithm>
#include <stdexcept>

namespace rocket::jobs {

void Confirms::settle(std::uint64_t number, bool multiple, bool taken) {
  // This is about an earlier batch.
  if (number < first_) return;
  const std::size_t last = number - first_;
  if (last >= fates_.size()) throw std::runtime_error("it confirms what it was not sent");
  for (std::size_t job = multiple ? settled_ : last; job <= last; ++job) {
    if (fates_[job] != Fate::kAwaited) continue;
    fates_[job] = taken ? Fate::kTaken : Fate::kRefused;
    --awaited_;
  }
  if (multiple) settled_ = last + 1;
}

std::size_t Confirms::refused() const {
  return static_cast<std::size_t>(std::count(fates_.begin(), fates_.end(), Fate::kRefused));
}

}  // namespace rocket::jobs
