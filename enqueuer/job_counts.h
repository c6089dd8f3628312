#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// How many jobs wait to be moved, and since when, for metrics.
namespace rocket::enqueuer {

// Reads the end of an index, and counts at most 100,000 jobs.
pg::Query count_jobs();

// The values in the result.
std::vector<prometheus::MetricFamily> job_counts(const pg::Result& result);

}  // namespace rocket::enqueuer
