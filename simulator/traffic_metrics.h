#pragma once

#include <array>
#include <cstddef>
#include <map>

#include "rocket/metrics/registry.h"
#include "simulator/http_client.h"
#include "simulator/plan.h"
#include "simulator/statistics.h"

namespace rocket::simulator {

// The metrics of the traffic that is sent. Thread safe.
class TrafficMetrics : public StatisticsObserver {
 public:
  // The registry must outlive this.
  explicit TrafficMetrics(metrics::Registry& registry);

  void add(const HttpAnswer& answer) override;
  void add(Silence silence) override;
  void add(Scenario scenario, Ending ending) override;

 private:
  static constexpr std::size_t kClasses = 4;

  // From 2xx to 5xx.
  std::array<prometheus::Counter*, kClasses> answers_{};
  prometheus::Counter* unanswered_ = nullptr;
  metrics::Histogram& durations_;
  std::map<Silence, prometheus::Counter*> silences_;
  std::map<std::pair<Scenario, Ending>, prometheus::Counter*> scenarios_;
};

}  // namespace rocket::simulator
