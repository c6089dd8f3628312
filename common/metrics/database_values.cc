#include "rocket/metrics/database_values.h"

#include <mutex>
#include <utility>

namespace rocket::metrics {

struct DatabaseValues::State {
  std::mutex mutex;
  std::vector<prometheus::MetricFamily> values;
  Clock::time_point since;
};

DatabaseValues::DatabaseValues(Registry& registry)
    : reachable_(registry
                     .gauges("rocket_database_reachable",
                             "1 if the last question for metrics was answered by the database, else 0.")
                     .Add({})),
      state_(std::make_shared<State>()) {
  registry.add([state = state_] {
    const std::lock_guard lock(state->mutex);
    const bool is_old = Clock::now() - state->since > kMaxAge;
    return is_old ? std::vector<prometheus::MetricFamily>() : state->values;
  });
}

void DatabaseValues::answered(std::vector<prometheus::MetricFamily> values) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->values = std::move(values);
    state_->since = Clock::now();
  }
  reachable_.Set(1);
}

void DatabaseValues::not_answered() { reachable_.Set(0); }

}  // namespace rocket::metrics
