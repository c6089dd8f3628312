#include "rocket/metrics/registry.h"

#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

#include "rocket/metrics/process_values.h"
#include "rocket/metrics/values.h"

namespace rocket::metrics {
namespace {

std::string compiler() {
#ifdef __clang__
  return "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  return "g++ " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
}

}  // namespace

Registry::Registry(const std::string& process, const Log& log) {
  gauges("rocket_build_info", "What this process was built from; always 1.")
      .Add({{"process", process}, {"version", ROCKET_VERSION}, {"compiler", compiler()}})
      .Set(1);
  add([&log] {
    return std::vector{counter("rocket_log_lines_dropped_total",
                               "Log lines that were dropped, because nobody took them.",
                               static_cast<double>(log.dropped()))};
  });
  add(process_values);
}

prometheus::Family<prometheus::Counter>& Registry::counters(const std::string& name,
                                                            const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(families_);
}

prometheus::Family<prometheus::Gauge>& Registry::gauges(const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(families_);
}

HistogramFamily& Registry::histograms(const std::string& name, const std::string& help) {
  const std::lock_guard lock(mutex_);
  return histograms_.emplace_back(name, help);
}

void Registry::add(Reader reader) {
  const std::lock_guard lock(mutex_);
  readers_.push_back(std::move(reader));
}

std::string Registry::text() const {
  std::vector<prometheus::MetricFamily> all = families_.Collect();
  {
    const std::lock_guard lock(mutex_);
    for (const HistogramFamily& family : histograms_) all.push_back(family.collect());
    for (const Reader& read : readers_) {
      for (prometheus::MetricFamily& family : read()) all.push_back(std::move(family));
    }
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, all);
  return std::move(text).str();
}

const Buckets& latency_buckets() {
  static const Buckets kBuckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,   0.5,   1,      2.5,   5,    10,    30};
  return kBuckets;
}

}  // namespace rocket::metrics
