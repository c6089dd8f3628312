#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "rocket/pg/query.h"
#include "rocket/pg/result.h"

// How many keys are unfinished or parked, and since when, for metrics.
namespace rocket::completer {

// Reads the ends of two indexes, and counts at most 100,000 keys of each kind.
pg::Query count_keys();

// The values in the result. `recovery_points` are those that always have a value, if only 0. Keys at other
// points count as "other".
std::vector<prometheus::MetricFamily> key_counts(const pg::Result& result,
                                                 const std::vector<std::string>& recovery_points);

}  // namespace rocket::completer
