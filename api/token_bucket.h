#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace rocket::api {

// How many tokens a full bucket has, and how fast they come back.
struct TokenRate {
  // 0: there is no limit.
  std::int64_t capacity = 0;
  // Until the next token comes.
  std::chrono::nanoseconds per_token{1};

  static TokenRate of(std::int64_t tokens, std::chrono::nanoseconds period, std::int64_t capacity) {
    return {capacity, tokens > 0 ? period / tokens : std::chrono::nanoseconds(1)};
  }
  bool is_on() const { return capacity > 0; }
  // How long an empty bucket takes to be full.
  std::chrono::nanoseconds to_fill() const { return capacity * per_token; }
};

// A token bucket, kept as one point in time: when it will be full again. A new bucket is full. Not thread
// safe.
class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Whoever stops is welcome again after the time that it takes to fill the bucket so many times.
  static constexpr int kMaxFills = 10;

  // An empty bucket goes into debt, and stays empty for longer. So what ends after the bucket was looked at
  // counts as well. But the debt has an end, so that everybody may come back.
  void take(const TokenRate& rate, Time now) {
    full_at_ = std::min(std::max(full_at_, now) + rate.per_token, now + kMaxFills * rate.to_fill());
  }

  // Until there is a token. Zero if there is one.
  std::chrono::nanoseconds wait(const TokenRate& rate, Time now) const {
    return std::max(std::chrono::nanoseconds(0), full_at_ - now - (rate.capacity - 1) * rate.per_token);
  }

  std::int64_t left(const TokenRate& rate, Time now) const {
    const auto missing = std::max(std::chrono::nanoseconds(0), full_at_ - now);
    const std::int64_t taken = (missing + rate.per_token - std::chrono::nanoseconds(1)) / rate.per_token;
    return std::max<std::int64_t>(0, rate.capacity - taken);
  }

  // Never later than now for a bucket that nobody has taken from.
  Time full_at() const { return full_at_; }

 private:
  Time full_at_{};
};

}  // namespace rocket::api
