#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/labels.h>
#include <prometheus/metric_family.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace rocket::metrics {

// The upper bounds of buckets, ascending; at most 15.
using Buckets = std::vector<double>;

// Counts values in buckets. Threads count apart, because sharing the counts of prometheus::Histogram costs
// each ride some microseconds. Thread safe.
class Histogram {
 public:
  explicit Histogram(Buckets upper_bounds);

  void observe(double value);
  prometheus::ClientMetric::Histogram collect() const;

 private:
  static constexpr std::size_t kMaxBuckets = 16;
  static constexpr std::size_t kStripes = 4;
  // On cache lines of its own.
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, kMaxBuckets> counts{};
    std::atomic<double> sum{0};
  };

  Stripe& stripe_of_this_thread();

  const Buckets upper_bounds_;
  std::array<Stripe, kStripes> stripes_;
};

// Histograms of one name. Thread safe.
class HistogramFamily {
 public:
  HistogramFamily(std::string name, std::string help) : name_(std::move(name)), help_(std::move(help)) {}

  // Returns the histogram with these labels, and makes it if there is none. It lives as long as the family.
  Histogram& add(const prometheus::Labels& labels, const Buckets& upper_bounds);
  prometheus::MetricFamily collect() const;

 private:
  struct Series {
    Series(prometheus::Labels its_labels, const Buckets& upper_bounds)
        : labels(std::move(its_labels)), histogram(upper_bounds) {}
    prometheus::Labels labels;
    Histogram histogram;
  };

  const std::string name_;
  const std::string help_;
  mutable std::mutex mutex_;
  std::list<Series> series_;
};

}  // namespace rocket::metrics
