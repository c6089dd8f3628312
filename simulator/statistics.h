#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "simulator/http_client.h"
#include "simulator/plan.h"

namespace rocket::simulator {

// How a scenario ended.
enum class Ending {
  kAnswered,  // with a final answer, or with the refusal it was made for
  kLeft,      // unfinished: it is the completer's now
  kParked,    // waits for a person
  kUnknown,   // sent without a key and not answered: nobody can tell what came of it
  kRefused,   // with an answer that should not have been
  kStopped,   // we were told to stop
};

std::string_view name_of(Ending ending);

// Counts what was sent and what came back. Thread safe.
class Statistics {
 public:
  // `code` tells answers with the same status apart; may be empty.
  void add(const HttpAnswer& answer, const std::string& code);
  void add(Silence silence);
  void add(Scenario scenario, Ending ending);

  // One line per scenario and status seen, and one for the whole.
  void print(const Log& log) const;
  // One line: how often each answer, or none, was seen so far.
  void print_progress(const Log& log) const;

 private:
  // Bucket n holds latencies of about 10 µs · 1.02ⁿ: exact enough for percentiles, and bounded.
  static constexpr std::size_t kBuckets = 800;

  double latency_ms(double share) const;

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
