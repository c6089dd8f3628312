#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "rocket/base/log.h"
#include "simulator/http_client.h"
#include "simulator/plan.h"

namespace rocket::simulator {

// How a scenario ended.
enum class Ending {
  kAnswered,  // with a final answer, or with the refusal that the scenario asks for
  kLeft,      // unfinished: left to the completer
  kParked,    // waits for a person
  kUnknown,   // sent without a key and not answered: nobody knows the result
  kRefused,   // with a refusal that the contract does not allow
  kStopped,   // we were told to stop
};

inline constexpr std::array kAllEndings{Ending::kAnswered, Ending::kLeft,    Ending::kParked,
                                        Ending::kUnknown,  Ending::kRefused, Ending::kStopped};

std::string_view name_of(Ending ending);

// Is told the same as Statistics, for metrics. Must be thread safe.
class StatisticsObserver {
 public:
  virtual ~StatisticsObserver() = default;
  virtual void add(const HttpAnswer& answer) = 0;
  virtual void add(Silence silence) = 0;
  virtual void add(Scenario scenario, Ending ending) = 0;
};

// Counts what was sent and what came back. Thread safe.
class Statistics {
 public:
  // `observer` may be null; otherwise it must outlive this.
  explicit Statistics(StatisticsObserver* observer = nullptr) : observer_(observer) {}

  // `code` distinguishes answers with the same status; may be empty.
  void add(const HttpAnswer& answer, const std::string& code);
  void add(Silence silence);
  void add(Scenario scenario, Ending ending);

  // Prints one line per scenario and ending, one per status and code, and a summary.
  void print(const Log& log) const;
  // Prints one line: how often each answer, or no answer, was seen so far.
  void print_progress(const Log& log) const;

 private:
  // Bucket n holds latencies of about 10 µs · 1.02ⁿ: exact enough for percentiles, and bounded.
  static constexpr std::size_t kBuckets = 800;

  double latency_ms(double share) const;

  StatisticsObserver* observer_;
  mutable std::mutex mutex_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::map<std::pair<Scenario, Ending>, std::int64_t> scenarios_;
  // By status and code.
  std::map<std::pair<int, std::string>, std::int64_t> statuses_;
  std::map<Silence, std::int64_t> silences_;
  std::array<std::int64_t, kBuckets> latencies_{};
  std::int64_t answers_ = 0;
};

}  // namespace rocket::simulator
