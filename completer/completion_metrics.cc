#include "completer/completion_metrics.h"

#include <variant>

namespace rocket::completer {

CompletionMetrics::CompletionMetrics(metrics::Registry& registry)
    : completions_(registry.counters("rocket_completions_total",
                                     "Attempts on abandoned requests, by how they ended.")),
      completed_(completions_.Add({{"outcome", "completed"}})),
      lost_(completions_.Add({{"outcome", "lost"}})),
      parked_(completions_.Add({{"outcome", "parked"}})),
      given_up_(completions_.Add({{"outcome", "given_up"}})),
      unavailable_(completions_.Add({{"outcome", "unavailable"}})),
      database_unavailable_(completions_.Add({{"outcome", "database_unavailable"}})),
      failed_(completions_.Add({{"outcome", "failed"}})) {}

void CompletionMetrics::note(const idempotency::Outcome& outcome) {
  using idempotency::RefusalKind;
  if (std::holds_alternative<idempotency::Response>(outcome)) return completed_.Increment();
  switch (std::get<idempotency::Refusal>(outcome).kind) {
    case RefusalKind::kInProgress:
      return lost_.Increment();
    case RefusalKind::kParked:
      return parked_.Increment();
    case RefusalKind::kForeignUnavailable:
      return unavailable_.Increment();
    case RefusalKind::kDatabaseUnavailable:
      return database_unavailable_.Increment();
    case RefusalKind::kUnknownOwner:
    case RefusalKind::kKeyReused:
    case RefusalKind::kInternal:
      break;
  }
  failed_.Increment();
}

}  // namespace rocket::completer
