#include "completer/key_counts.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "rocket/metrics/values.h"

namespace rocket::completer {
namespace {

// A row for each recovery point of unfinished keys, and one for all parked keys, whose point is NULL. The
// oldest keys come first, so their ages are exact also where there are more keys than are counted.
// MATERIALIZED, because the planner could otherwise leave the order, and with it the index.
constexpr pg::Statement kCountKeys{"count_keys", R"sql(
WITH unfinished AS MATERIALIZED (
  SELECT recovery_point, created_at FROM idempotency_keys
   WHERE finished_at IS NULL AND parked_at IS NULL
   ORDER BY created_at LIMIT 100000
), parked AS MATERIALIZED (
  SELECT parked_at FROM idempotency_keys WHERE parked_at IS NOT NULL ORDER BY parked_at LIMIT 100000
)
SELECT recovery_point, count(*) AS keys,
       (extract(epoch FROM now() - min(created_at)) * 1000)::bigint AS oldest_age_ms
  FROM unfinished GROUP BY recovery_point
UNION ALL
SELECT NULL, count(*), coalesce((extract(epoch FROM now() - min(parked_at)) * 1000)::bigint, 0) FROM parked
)sql"};

double seconds_of(std::int64_t milliseconds) {
  // A client's transaction may have begun later than this one.
  return static_cast<double>(std::max<std::int64_t>(milliseconds, 0)) / 1000;
}

}  // namespace

pg::Query count_keys() { return {kCountKeys, {}}; }

std::vector<prometheus::MetricFamily> key_counts(const pg::Result& result,
                                                 const std::vector<std::string>& recovery_points) {
  std::map<std::string, double, std::less<>> unfinished{{"other", 0}};
  for (const std::string& point : recovery_points) unfinished.emplace(point, 0);
  double oldest = 0;
  double parked = 0;
  double oldest_parked = 0;
  for (int row = 0; row < result.rows(); ++row) {
    const auto keys = static_cast<double>(result.integer(row, "keys"));
    const double age = seconds_of(result.integer(row, "oldest_age_ms"));
    if (result.is_null(row, "recovery_point")) {
      parked = keys;
      oldest_parked = age;
      continue;
    }
    const auto found = unfinished.find(result.text(row, "recovery_point"));
    (found == unfinished.end() ? unfinished.find("other") : found)->second += keys;
    oldest = std::max(oldest, age);
  }
  std::vector<metrics::Labelled> series;
  series.reserve(unfinished.size());
  for (const auto& [point, keys] : unfinished) series.push_back({{{"recovery_point", point}}, keys});
  return {
      metrics::gauges("rocket_keys_unfinished",
                      "Unfinished keys by recovery point, without parked ones; at most the 100,000 "
                      "oldest are counted.",
                      series),
      metrics::gauge("rocket_keys_unfinished_oldest_age_seconds",
                     "Age of the oldest unfinished key that is not parked; 0 if there is none.", oldest),
      metrics::gauge("rocket_keys_parked", "Keys that wait for a person; at most 100,000 are counted.",
                     parked),
      metrics::gauge("rocket_keys_parked_oldest_age_seconds",
                     "How long the key that was parked first has waited for a person; 0 if there is none.",
                     oldest_parked)};
}

}  // namespace rocket::completer
