#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rocket/endpoints/endpoint.h"
#include "rocket/idempotency/engine_observer.h"
#include "rocket/metrics/registry.h"
#include "rocket/payments/circuit_breaker.h"
#include "rocket/payments/observed_gateway.h"
#include "rocket/pg/lane_observer.h"

namespace rocket {

// The metrics of a process that takes requests through their phases: of its lanes, its engine and its calls
// to the payment provider. All series exist from the start. Must outlive what it observes. Thread safe.
class WorkMetrics : public pg::LaneObserver,
                    public idempotency::EngineObserver,
                    public payments::CallObserver {
 public:
  // `lanes`: how many lanes the process has.
  WorkMetrics(metrics::Registry& registry, std::size_t lanes);

  // Adds the series of the flows. Call it before the first of them runs.
  void add(const endpoints::Endpoints& endpoints);
  // Adds the state of the circuit. The breaker must outlive every scrape.
  void add(const payments::CircuitBreaker& provider);

  void connected() override { connected_.Increment(); }
  void disconnected() override { connected_.Decrement(); }
  void committed(std::size_t units, std::chrono::nanoseconds duration) override;

  void stretch_ended(const idempotency::Flow& flow, std::string_view recovery_point,
                     std::chrono::nanoseconds duration) override;
  void attempt_ended(const idempotency::Outcome& outcome) override;

  void call_ended(payments::Call call, payments::CallEnd end, std::chrono::nanoseconds duration) override;

 private:
  static constexpr std::size_t kCalls = 4;
  static constexpr std::size_t kCallEnds = 7;
  static constexpr std::size_t kAttemptEnds = 10;

  // By the name of the flow, because the laboratory makes flows of its own.
  using Stretches = std::vector<std::pair<std::string_view, metrics::Histogram*>>;

  metrics::Registry& registry_;
  prometheus::Gauge& connected_;
  metrics::Histogram& commits_;
  metrics::Histogram& batches_;
  std::map<std::string, Stretches, std::less<>> stretches_;
  std::array<prometheus::Counter*, kAttemptEnds> attempts_{};
  // Null where a call cannot end so.
  std::array<std::array<metrics::Histogram*, kCallEnds>, kCalls> calls_{};
};

}  // namespace rocket
