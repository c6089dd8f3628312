#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "rocket/base/log.h"
#include "rocket/metrics/histogram.h"

namespace rocket::metrics {

// All metrics of one process. It has from its start what every process has: build information, the standard
// metrics of a process, and the log lines that were dropped. Thread safe.
//
// Names and units are those of Prometheus (https://prometheus.io/docs/practices/naming/). A label has a few
// values that the program knows, and never a text that a client has sent.
class Registry {
 public:
  // Reads values anew for each scrape, on the thread of the scrape. Must not block for long.
  using Reader = std::function<std::vector<prometheus::MetricFamily>()>;

  // `process` is the name of the process, such as "api". `log` must outlive the registry.
  Registry(const std::string& process, const Log& log);

  // Families of series. Add the series once, at the start, and keep the references: looking a series up by
  // its labels takes a lock. They live as long as the registry.
  prometheus::Family<prometheus::Counter>& counters(const std::string& name, const std::string& help);
  prometheus::Family<prometheus::Gauge>& gauges(const std::string& name, const std::string& help);
  HistogramFamily& histograms(const std::string& name, const std::string& help);

  // What the reader uses must outlive every scrape.
  void add(Reader reader);

  // Everything, in Prometheus' text format.
  std::string text() const;

 private:
  prometheus::Registry families_;
  mutable std::mutex mutex_;
  std::list<HistogramFamily> histograms_;
  std::vector<Reader> readers_;
};

// The upper bounds of the buckets, in seconds: from half a millisecond to half a minute.
const Buckets& latency_buckets();

}  // namespace rocket::metrics
