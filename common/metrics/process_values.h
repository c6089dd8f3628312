#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace rocket::metrics {

// The standard metrics of this process (https://prometheus.io/docs/instrumenting/writing_clientlibs/), read
// from /proc. What cannot be read is left out. Thread safe.
std::vector<prometheus::MetricFamily> process_values();

}  // namespace rocket::metrics
