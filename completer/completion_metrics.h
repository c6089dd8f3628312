#pragma once

#include <cstdint>

#include "rocket/idempotency/request.h"
#include "rocket/metrics/registry.h"

namespace rocket::completer {

// Counts how completions of abandoned requests end. Thread safe.
class CompletionMetrics {
 public:
  // The registry must outlive this.
  explicit CompletionMetrics(metrics::Registry& registry);

  void note(const idempotency::Outcome& outcome);
  // Keys that were parked because their endpoint is unknown.
  void note_parked() { parked_.Increment(); }
  // Keys that were parked after too many attempts.
  void note_given_up(std::int64_t keys) { given_up_.Increment(static_cast<double>(keys)); }

 private:
  prometheus::Family<prometheus::Counter>& completions_;
  prometheus::Counter& completed_;
  prometheus::Counter& lost_;
  prometheus::Counter& parked_;
  prometheus::Counter& given_up_;
  prometheus::Counter& unavailable_;
  prometheus::Counter& database_unavailable_;
  prometheus::Counter& failed_;
};

}  // namespace rocket::completer
