#include "simulator/key_history.h"

namespace rocket::simulator {

std::optional<Acknowledged> KeyHistory::final_answer() const {
  const std::lock_guard lock(mutex_);
  return final_;
}

bool KeyHistory::keep(const Acknowledged& answer) {
  const std::lock_guard lock(mutex_);
  if (final_) return false;
  final_ = answer;
  return true;
}

int KeyHistory::next_request() {
  const std::lock_guard lock(mutex_);
  return ++requests_;
}

}  // namespace rocket::simulator
