#include "simulator/traffic_metrics.h"

#include <algorithm>
#include <string>
#include <utility>

namespace rocket::simulator {
namespace {

constexpr std::array kSilences{std::pair{Silence::kNotConnected, "not_connected"},
                               std::pair{Silence::kLost, "lost"}, std::pair{Silence::kHungUp, "hung_up"},
                               std::pair{Silence::kGateway, "gateway"}};

}  // namespace

TrafficMetrics::TrafficMetrics(metrics::Registry& registry)
    : durations_(registry
                     .histograms("rocket_simulator_request_duration_seconds",
                                 "From a request until its answer, in seconds.")
                     .add({}, metrics::latency_buckets())) {
  auto& requests = registry.counters("rocket_simulator_requests_total",
                                     "Requests that were sent, by the class of the status of the answer; "
                                     "none: there was no answer.");
  for (std::size_t each = 0; each < kClasses; ++each) {
    answers_.at(each) = &requests.Add({{"status", std::to_string(each + 2) + "xx"}});
  }
  unanswered_ = &requests.Add({{"status", "none"}});
  auto& silences = registry.counters("rocket_simulator_unanswered_total",
                                     "Requests that got no answer of the api, by the reason.");
  for (const auto& [silence, reason] : kSilences) {
    silences_.emplace(silence, &silences.Add({{"reason", reason}}));
  }
  auto& scenarios =
      registry.counters("rocket_simulator_scenarios_total", "Scenarios that were played, by their ending.");
  for (const Scenario scenario : kAllScenarios) {
    for (const Ending ending : kAllEndings) {
      scenarios_.emplace(std::pair(scenario, ending),
                         &scenarios.Add({{"scenario", std::string(name_of(scenario))},
                                         {"ending", std::string(name_of(ending))}}));
    }
  }
}

void TrafficMetrics::add(const HttpAnswer& answer) {
  answers_.at(static_cast<std::size_t>(std::clamp(answer.status / 100, 2, 5) - 2))->Increment();
  durations_.observe(std::chrono::duration<double>(answer.duration).count());
}

void TrafficMetrics::add(Silence silence) {
  unanswered_->Increment();
  silences_.at(silence)->Increment();
}

void TrafficMetrics::add(Scenario scenario, Ending ending) { scenarios_.at({scenario, ending})->Increment(); }

}  // namespace rocket::simulator
