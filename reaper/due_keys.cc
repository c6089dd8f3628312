#include "reaper/due_keys.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "rocket/metrics/values.h"

namespace rocket::reaper {
namespace {

constexpr pg::Statement kFindOldestFinished{"find_oldest_finished_key", R"sql(
SELECT (extract(epoch FROM now() - finished_at - make_interval(secs => $1::bigint)) * 1000)::bigint AS due_ms
  FROM idempotency_keys
 WHERE finished_at IS NOT NULL
 ORDER BY finished_at
 LIMIT 1
)sql"};

}  // namespace

pg::Query find_oldest_finished(std::chrono::seconds retention) {
  return {kFindOldestFinished, {std::to_string(retention.count())}};
}

std::vector<prometheus::MetricFamily> due_keys(const pg::Result& result) {
  const std::int64_t due_ms = result.empty() ? 0 : std::max<std::int64_t>(result.integer(0, "due_ms"), 0);
  return {metrics::gauge("rocket_keys_due_oldest_age_seconds",
                         "How long the key that finished first has been due to be reaped; 0 if none is due.",
                         static_cast<double>(due_ms) / 1000)};
}

}  // namespace rocket::reaper
