#include "simulator/reachability.h"

#include <utility>

namespace rocket::simulator {

void Reachability::note(const std::variant<HttpAnswer, Silence>& reply) {
  const auto* silence = std::get_if<Silence>(&reply);
  const bool answered = silence == nullptr;
  const bool away = !answered && (*silence == Silence::kNotConnected || *silence == Silence::kGateway);
  // A connection that broke, or that we closed, does not show whether the api can be reached.
  if (!answered && !away) return;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(away_, away) == away) return;
  }
  if (away) {
    log_.warn("the api cannot be reached; trying again", {{"url", url_}});
  } else {
    log_.info("the api can be reached again", {{"url", url_}});
  }
}

}  // namespace rocket::simulator
