#pragma once

#include <prometheus/labels.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

// Metrics as a scrape shows them, for values that are not counted but read.
namespace rocket::metrics {

prometheus::MetricFamily counter(std::string name, std::string help, double value);
prometheus::MetricFamily gauge(std::string name, std::string help, double value);

// A family with one series for each element.
struct Labelled {
  prometheus::Labels labels;
  double value = 0;
};
prometheus::MetricFamily gauges(std::string name, std::string help, const std::vector<Labelled>& series);

}  // namespace rocket::metrics
