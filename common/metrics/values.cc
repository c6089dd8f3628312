#include "rocket/metrics/values.h"

#include <utility>

namespace rocket::metrics {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily counter(std::string name, std::string help, double value) {
  ClientMetric series;
  series.counter.value = value;
  return {std::move(name), std::move(help), MetricType::Counter, {std::move(series)}};
}

MetricFamily gauge(std::string name, std::string help, double value) {
  return gauges(std::move(name), std::move(help), {{{}, value}});
}

MetricFamily gauges(std::string name, std::string help, const std::vector<Labelled>& series) {
  MetricFamily family{std::move(name), std::move(help), MetricType::Gauge, {}};
  family.metric.reserve(series.size());
  for (const auto& [labels, value] : series) {
    ClientMetric metric;
    for (const auto& [label, text] : labels) metric.label.push_back({label, text});
    metric.gauge.value = value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace rocket::metrics
