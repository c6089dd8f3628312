#include "simulator/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

namespace rocket::simulator {
namespace {

constexpr double kShortestMs = 0.01;
constexpr double kGrowth = 1.02;

std::int64_t count_of(const std::map<Silence, std::int64_t>& silences, Silence silence) {
  const auto found = silences.find(silence);
  return found == silences.end() ? 0 : found->second;
}

}  // namespace

std::string_view name_of(Ending ending) {
  switch (ending) {
    case Ending::kAnswered:
      return "answered";
    case Ending::kLeft:
      return "left";
    case Ending::kParked:
      return "parked";
    case Ending::kUnknown:
      return "unknown";
    case Ending::kRefused:
      return "refused";
    case Ending::kStopped:
      return "stopped";
  }
  return "unknown";
}

void Statistics::add(const HttpAnswer& answer, const std::string& code) {
  if (observer_ != nullptr) observer_->add(answer);
  const double ms = std::chrono::duration<double, std::milli>(answer.duration).count();
  const double bucket = std::log(std::max(ms, kShortestMs) / kShortestMs) / std::log(kGrowth);
  const std::lock_guard lock(mutex_);
  ++statuses_[{answer.status, code}];
  ++latencies_[std::min(static_cast<std::size_t>(bucket), kBuckets - 1)];
  ++answers_;
}

void Statistics::add(Silence silence) {
  if (observer_ != nullptr) observer_->add(silence);
  const std::lock_guard lock(mutex_);
  ++silences_[silence];
}

void Statistics::add(Scenario scenario, Ending ending) {
  if (observer_ != nullptr) observer_->add(scenario, ending);
  const std::lock_guard lock(mutex_);
  ++scenarios_[{scenario, ending}];
}

double Statistics::latency_ms(double share) const {
  auto left = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(answers_)));
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    left -= latencies_[bucket];
    // The middle of the bucket, rounded to 0.01 ms.
    if (left <= 0 && answers_ > 0) {
      const double ms = kShortestMs * std::pow(kGrowth, static_cast<double>(bucket) + 0.5);
      return std::round(ms * 100) / 100;
    }
  }
  return 0;
}

void Statistics::print(const Log& log) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [ended, count] : scenarios_) {
    log.info("scenarios",
             {{"scenario", name_of(ended.first)}, {"ending", name_of(ended.second)}, {"count", count}});
  }
  for (const auto& [seen, count] : statuses_) {
    log.info("answers", {{"status", seen.first}, {"code", seen.second}, {"count", count}});
  }
  std::int64_t scenario_count = 0;
  for (const auto& [ended, count] : scenarios_) scenario_count += count;
  const std::int64_t not_connected = count_of(silences_, Silence::kNotConnected);
  const std::int64_t lost = count_of(silences_, Silence::kLost);
  const std::int64_t hung_up = count_of(silences_, Silence::kHungUp);
  const std::int64_t gateway = count_of(silences_, Silence::kGateway);
  const std::int64_t requests = answers_ + not_connected + lost + hung_up + gateway;
  const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - since_;
  log.info("summary", {{"scenarios", scenario_count},
                       {"requests", requests},
                       {"answers", answers_},
                       {"connections_refused", not_connected},
                       {"connections_lost", lost},
                       {"hung_up", hung_up},
                       {"answered_by_gateway", gateway},
                       {"p50_ms", latency_ms(0.50)},
                       {"p99_ms", latency_ms(0.99)},
                       {"duration_s", duration.count()},
                       {"requests_per_s", static_cast<double>(requests) / duration.count()}});
}

void Statistics::print_progress(const Log& log) const {
  std::string seen;
  const auto add = [&seen](const std::string& name, std::int64_t count) {
    if (count == 0) return;
    if (!seen.empty()) seen += ',';
    seen += name + ':' + std::to_string(count);
  };
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [answer, count] : statuses_) {
      const auto& [status, code] = answer;
      add(std::to_string(status) + (code.empty() ? "" : '_' + code), count);
    }
    add("refused", count_of(silences_, Silence::kNotConnected));
    add("lost", count_of(silences_, Silence::kLost));
    add("hung_up", count_of(silences_, Silence::kHungUp));
    add("gateway", count_of(silences_, Silence::kGateway));
  }
  log.info("progress", {{"seen", seen}});
}

}  // namespace rocket::simulator
