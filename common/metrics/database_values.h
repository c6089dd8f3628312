#pragma once

#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <memory>
#include <vector>

#include "rocket/metrics/registry.h"

namespace rocket::metrics {

// Values that a process asks its database for now and then. When the last answer is too old, there are none,
// so that nobody takes an old truth for a new one. rocket_database_reachable tells whether the last question
// was answered; it is 0 before the first one. Thread safe.
class DatabaseValues {
 public:
  using Clock = std::chrono::steady_clock;

  // How often to ask, and when an answer is too old to be shown.
  static constexpr std::chrono::seconds kInterval{5};
  static constexpr std::chrono::seconds kMaxAge = 3 * kInterval;

  explicit DatabaseValues(Registry& registry);

  void answered(std::vector<prometheus::MetricFamily> values);
  void not_answered();

 private:
  struct State;

  prometheus::Gauge& reachable_;
  // Shared with the registry, which may outlive this.
  std::shared_ptr<State> state_;
};

}  // namespace rocket::metrics
