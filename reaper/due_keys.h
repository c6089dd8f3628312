#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <vector>

#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// Whether the reaper keeps up, for metrics.
namespace rocket::reaper {

// Reads one row, by the index of finished keys.
pg::Query find_oldest_finished(std::chrono::seconds retention);

// The values in the result.
std::vector<prometheus::MetricFamily> due_keys(const pg::Result& result);

}  // namespace rocket::reaper
