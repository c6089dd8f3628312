#include "rocket/work_metrics/work_metrics.h"

#include <variant>

#include "rocket/metrics/values.h"

namespace rocket {
namespace {

using idempotency::RefusalKind;
using payments::Call;
using payments::CallEnd;

// How an attempt ends, in the order of the labels below.
enum class AttemptEnd {
  kAnswered,
  kReplayed,
  kRefused,
  kUnknownOwner,
  kKeyReused,
  kInProgress,
  kParked,
  kUnavailable,
  kDatabaseUnavailable,
  kFailed,
};

constexpr std::array kAttemptLabels{
    "answered",    "replayed", "refused",     "unknown_owner",        "key_reused",
    "in_progress", "parked",   "unavailable", "database_unavailable", "failed"};

AttemptEnd end_of(const idempotency::Outcome& outcome) {
  if (const auto* response = std::get_if<idempotency::Response>(&outcome)) {
    if (response->replayed) return AttemptEnd::kReplayed;
    return response->is_stored ? AttemptEnd::kAnswered : AttemptEnd::kRefused;
  }
  switch (std::get<idempotency::Refusal>(outcome).kind) {
    case RefusalKind::kUnknownOwner:
      return AttemptEnd::kUnknownOwner;
    case RefusalKind::kKeyReused:
      return AttemptEnd::kKeyReused;
    case RefusalKind::kInProgress:
      return AttemptEnd::kInProgress;
    case RefusalKind::kParked:
      return AttemptEnd::kParked;
    case RefusalKind::kForeignUnavailable:
      return AttemptEnd::kUnavailable;
    case RefusalKind::kDatabaseUnavailable:
      return AttemptEnd::kDatabaseUnavailable;
    case RefusalKind::kInternal:
      break;
  }
  return AttemptEnd::kFailed;
}

struct CallLabels {
  Call call;
  const char* name;
  std::vector<CallEnd> ends;
};

const std::vector<CallLabels>& call_labels() {
  using enum CallEnd;
  static const std::vector<CallLabels> kLabels{
      {Call::kCharge, "charge", {kSucceeded, kDeclined, kRejected, kBusy, kUnavailable, kFailed}},
      {Call::kRefund, "refund", {kSucceeded, kRejected, kBusy, kUnavailable, kFailed}},
      {Call::kFindCharge, "find_charge", {kSucceeded, kNothingFound, kBusy, kUnavailable, kFailed}},
      {Call::kFindRefund, "find_refund", {kSucceeded, kNothingFound, kBusy, kUnavailable, kFailed}}};
  return kLabels;
}

const char* label_of(CallEnd end) {
  switch (end) {
    case CallEnd::kSucceeded:
      return "succeeded";
    case CallEnd::kDeclined:
      return "declined";
    case CallEnd::kRejected:
      return "rejected";
    case CallEnd::kNothingFound:
      return "nothing_found";
    case CallEnd::kBusy:
      return "busy";
    case CallEnd::kUnavailable:
      return "unavailable";
    case CallEnd::kFailed:
      break;
  }
  return "failed";
}

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

metrics::Buckets batch_buckets() { return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}; }

}  // namespace

WorkMetrics::WorkMetrics(metrics::Registry& registry, std::size_t lanes)
    : registry_(registry),
      connected_(registry
                     .gauges("rocket_lanes_connected",
                             "Lanes that have a connection to the database, as far as they know.")
                     .Add({})),
      commits_(registry
                   .histograms("rocket_commit_duration_seconds",
                               "One round trip that committed a batch, in seconds.")
                   .add({}, metrics::latency_buckets())),
      batches_(registry.histograms("rocket_batch_units", "Units of work that shared one transaction.")
                   .add({}, batch_buckets())) {
  registry.gauges("rocket_lanes", "Lanes of this process.").Add({}).Set(static_cast<double>(lanes));
  auto& attempts = registry.counters("rocket_attempts_total", "Attempts on requests, by how they ended.");
  for (std::size_t end = 0; end < kAttemptEnds; ++end) {
    attempts_.at(end) = &attempts.Add({{"outcome", kAttemptLabels.at(end)}});
  }
  auto& calls = registry.histograms("rocket_foreign_call_duration_seconds",
                                    "Calls to the payment provider, by how they ended, in seconds.");
  for (const CallLabels& labels : call_labels()) {
    for (const CallEnd end : labels.ends) {
      calls_.at(static_cast<std::size_t>(labels.call)).at(static_cast<std::size_t>(end)) =
          &calls.add({{"call", labels.name}, {"outcome", label_of(end)}}, metrics::latency_buckets());
    }
  }
}

void WorkMetrics::add(const endpoints::Endpoints& endpoints) {
  auto& phases = registry_.histograms("rocket_phase_duration_seconds",
                                      "From a recovery point until the next foreign call or the end, with "
                                      "the wait for a lane, in seconds.");
  for (const endpoints::Endpoint& endpoint : endpoints) {
    Stretches& stretches = stretches_[endpoint.flow.name()];
    for (const idempotency::Step& step : endpoint.flow.steps()) {
      stretches.emplace_back(step.recovery_point,
                             &phases.add({{"flow", endpoint.method + ' ' + endpoint.path.text()},
                                          {"recovery_point", std::string(step.recovery_point)}},
                                         metrics::latency_buckets()));
    }
  }
}

void WorkMetrics::add(const payments::CircuitBreaker& provider) {
  registry_.add([&provider] {
    const bool is_open = provider.state() != payments::CircuitState::kClosed;
    return std::vector{metrics::gauge("rocket_provider_circuit_open",
                                      "1 while calls to the payment provider are refused, but for probes.",
                                      is_open ? 1 : 0)};
  });
}

void WorkMetrics::committed(std::size_t units, std::chrono::nanoseconds duration) {
  commits_.observe(seconds(duration));
  batches_.observe(static_cast<double>(units));
}

void WorkMetrics::stretch_ended(const idempotency::Flow& flow, std::string_view recovery_point,
                                std::chrono::nanoseconds duration) {
  const auto found = stretches_.find(flow.name());
  if (found == stretches_.end()) return;
  for (const auto& [point, histogram] : found->second) {
    if (point == recovery_point) return histogram->observe(seconds(duration));
  }
}

void WorkMetrics::attempt_ended(const idempotency::Outcome& outcome) {
  attempts_.at(static_cast<std::size_t>(end_of(outcome)))->Increment();
}

void WorkMetrics::call_ended(Call call, CallEnd end, std::chrono::nanoseconds duration) {
  metrics::Histogram* histogram = calls_.at(static_cast<std::size_t>(call)).at(static_cast<std::size_t>(end));
  if (histogram != nullptr) histogram->observe(seconds(duration));
}

}  // namespace rocket
