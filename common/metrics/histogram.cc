#include "rocket/metrics/histogram.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

namespace rocket::metrics {

Histogram::Histogram(Buckets upper_bounds) : upper_bounds_(std::move(upper_bounds)) {
  if (upper_bounds_.size() >= kMaxBuckets) throw std::logic_error("too many buckets");
}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(upper_bounds_.begin(), upper_bounds_.end(), value);
  Stripe& stripe = stripe_of_this_thread();
  stripe.counts.at(static_cast<std::size_t>(bucket - upper_bounds_.begin()))
      .fetch_add(1, std::memory_order_relaxed);
  stripe.sum.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Stripe& Histogram::stripe_of_this_thread() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t own = threads.fetch_add(1) % kStripes;
  return stripes_.at(own);
}

prometheus::ClientMetric::Histogram Histogram::collect() const {
  prometheus::ClientMetric::Histogram all;
  for (std::size_t bucket = 0; bucket <= upper_bounds_.size(); ++bucket) {
    for (const Stripe& stripe : stripes_) {
      all.sample_count += stripe.counts.at(bucket).load(std::memory_order_relaxed);
    }
    const bool is_last = bucket == upper_bounds_.size();
    all.bucket.push_back(
        {all.sample_count, is_last ? std::numeric_limits<double>::infinity() : upper_bounds_[bucket]});
  }
  for (const Stripe& stripe : stripes_) all.sample_sum += stripe.sum.load(std::memory_order_relaxed);
  return all;
}

Histogram& HistogramFamily::add(const prometheus::Labels& labels, const Buckets& upper_bounds) {
  const std::lock_guard lock(mutex_);
  for (Series& each : series_) {
    if (each.labels == labels) return each.histogram;
  }
  return series_.emplace_back(labels, upper_bounds).histogram;
}

prometheus::MetricFamily HistogramFamily::collect() const {
  prometheus::MetricFamily family{name_, help_, prometheus::MetricType::Histogram, {}};
  const std::lock_guard lock(mutex_);
  for (const Series& each : series_) {
    prometheus::ClientMetric metric;
    for (const auto& [label, text] : each.labels) metric.label.push_back({label, text});
    metric.histogram = each.histogram.collect();
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace rocket::metrics
