#include "enqueuer/job_counts.h"

#include <algorithm>
#include <cstdint>

#include "rocket/metrics/values.h"

namespace rocket::enqueuer {
namespace {

// MATERIALIZED, because the planner could otherwise leave the order, and with it the index.
constexpr pg::Statement kCountJobs{"count_jobs", R"sql(
WITH oldest AS MATERIALIZED (SELECT created_at FROM staged_jobs ORDER BY id LIMIT 100000)
SELECT count(*) AS jobs, coalesce((extract(epoch FROM now() - min(created_at)) * 1000)::bigint, 0) AS age_ms
  FROM oldest
)sql"};

}  // namespace

pg::Query count_jobs() { return {kCountJobs, {}}; }

std::vector<prometheus::MetricFamily> job_counts(const pg::Result& result) {
  // A transaction that staged a job may have begun later than the one that counts.
  const auto age_ms = std::max<std::int64_t>(result.integer(0, "age_ms"), 0);
  return {
      metrics::gauge("rocket_staged_jobs", "Jobs that wait to be moved; at most 100,000 are counted.",
                     static_cast<double>(result.integer(0, "jobs"))),
      metrics::gauge("rocket_staged_jobs_oldest_age_seconds",
                     "Age of the oldest job that waits to be moved; 0 if there is none.",
                     static_cast<double>(age_ms) / 1000),
  };
}

}  // namespace rocket::enqueuer
