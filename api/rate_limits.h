#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "api/admission.h"
#include "api/caller_counts.h"
#include "api/token_bucket.h"
#include "api/usage.h"
#include "rocket/base/settings.h"

namespace rocket::api {

// What one caller may do. 0: no limit.
struct RateLimitOptions {
  std::int64_t requests_per_s = 100;
  // How many requests may come at once, after a pause.
  std::int64_t request_burst = 200;
  std::int64_t failed_credentials_per_min = 60;
  std::int64_t declines_per_h = 20;
  std::int64_t unfinished_keys_per_h = 200;
  std::int64_t keys_per_day = 100'000;

  void add_to(Settings& settings);
};

// Limits what a caller may do in a second, a minute, an hour or a day. Each process counts for itself, in
// memory of a fixed size, and forgets at its end.
//
// A caller is a user or, while the user is not known, an address; see Admission::Slot::holder(). Thread safe.
class RateLimits {
 public:
  using Clock = std::function<TokenBucket::Time()>;

  // A request is beyond a limit.
  struct Excess {
    // nullopt: the caller has as many charges under way as they may have declined.
    std::optional<Limit> limit;
    // When there will be room for one. At least a second.
    std::chrono::seconds retry_after{1};
  };

  // A charge under way, until this object is destroyed. The limits must outlive it.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept;
    Charge& operator=(Charge&& other) noexcept;
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    ~Charge();

   private:
    friend class RateLimits;
    Charge(RateLimits& limits, CallerTable& table, CallerTable::Id caller)
        : limits_(&limits), table_(&table), caller_(caller) {}

    RateLimits* limits_ = nullptr;
    CallerTable* table_ = nullptr;
    CallerTable::Id caller_ = 0;
  };

  explicit RateLimits(const RateLimitOptions& options, Clock clock = std::chrono::steady_clock::now);

  // Counts a request, unless it is beyond a limit. `tries_credentials`: it has credentials of which nobody
  // knows yet whether they are right.
  std::optional<Excess> enter(const std::string& caller, bool tries_credentials);

  // The limit that forbids the caller to make a new key.
  std::optional<Excess> find_excess_of_keys(const std::string& caller);

  // Begins a charge, unless it is beyond a limit. A caller never has more charges under way than may be
  // declined: otherwise all of a crowd of charges could be declined at once.
  std::optional<Excess> begin_charge(const std::string& caller, Charge& charge);

  void count(const std::string& caller, const Usage& usage);
  void count_failed_credentials(const std::string& address);

  const TokenRate& rate(Limit limit) const { return rates_[static_cast<std::size_t>(limit)]; }

 private:
  // Returns nullopt if there is no such limit, or if there is room for one more.
  std::optional<Excess> find_excess(CallerCounts& counts, Limit limit) const;
  void take(CallerCounts& counts, Limit limit) const;
  CallerTable& table_of(const std::string& caller) { return is_address(caller) ? addresses_ : users_; }
  void end(const Charge& charge);

  const std::array<TokenRate, kLimits> rates_;
  const Clock clock_;

  std::mutex mutex_;
  // Apart, so that invented addresses push out no user.
  CallerTable users_;
  CallerTable addresses_;
};

}  // namespace rocket::api
