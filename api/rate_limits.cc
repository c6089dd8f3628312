#include "api/rate_limits.h"

#include <algorithm>
#include <utility>

namespace rocket::api {
namespace {

std::array<TokenRate, kLimits> rates_of(const RateLimitOptions& options) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  // In the order of Limit.
  return {TokenRate::of(options.requests_per_s, seconds(1),
                        options.requests_per_s > 0 ? std::max<std::int64_t>(1, options.request_burst) : 0),
          TokenRate::of(options.failed_credentials_per_min, minutes(1), options.failed_credentials_per_min),
          TokenRate::of(options.declines_per_h, hours(1), options.declines_per_h),
          TokenRate::of(options.unfinished_keys_per_h, hours(1), options.unfinished_keys_per_h),
          TokenRate::of(options.keys_per_day, hours(24), options.keys_per_day)};
}

}  // namespace

void RateLimitOptions::add_to(Settings& settings) {
  constexpr std::int64_t kMax = 1'000'000'000;
  settings.add("requests-per-s", {"API_REQUESTS_PER_S"}, "requests",
               "a second of one user, or of one address while the user is not known; more are refused with "
               "429; 0: no limit",
               requests_per_s, 0, 1'000'000);
  settings.add("request-burst", {"API_REQUEST_BURST"}, "requests", "of these that may come at once",
               request_burst, 1, 1'000'000);
  settings.add("failed-credentials-per-min", {"API_FAILED_CREDENTIALS_PER_MIN"}, "requests",
               "a minute of one address whose credentials are wrong; then only users who are known; 0: no "
               "limit",
               failed_credentials_per_min, 0, 1'000'000);
  settings.add("declines-per-h", {"API_DECLINES_PER_H"}, "charges",
               "an hour of one user that are declined; then no more charges; 0: no limit", declines_per_h, 0,
               kMax);
  settings.add("unfinished-keys-per-h", {"API_UNFINISHED_KEYS_PER_H"}, "keys",
               "an hour that one user may leave unfinished; then no new keys; 0: no limit",
               unfinished_keys_per_h, 0, kMax);
  settings.add("keys-per-day", {"API_KEYS_PER_DAY"}, "keys",
               "a day that one user may have stored; then no new keys; 0: no limit", keys_per_day, 0, kMax);
}

RateLimits::Charge::Charge(Charge&& other) noexcept
    : limits_(std::exchange(other.limits_, nullptr)), table_(other.table_), caller_(other.caller_) {}

RateLimits::Charge& RateLimits::Charge::operator=(Charge&& other) noexcept {
  std::swap(limits_, other.limits_);
  std::swap(table_, other.table_);
  std::swap(caller_, other.caller_);
  return *this;
}

RateLimits::Charge::~Charge() {
  if (limits_ != nullptr) limits_->end(*this);
}

RateLimits::RateLimits(const RateLimitOptions& options, Clock clock)
    : rates_(rates_of(options)), clock_(std::move(clock)) {}

std::optional<RateLimits::Excess> RateLimits::enter(const std::string& caller, bool tries_credentials) {
  const bool counts_requests = rate(Limit::kRequests).is_on();
  const bool counts_failures = tries_credentials && rate(Limit::kFailedCredentials).is_on();
  if (!counts_requests && !counts_failures) return std::nullopt;
  const std::lock_guard lock(mutex_);
  CallerTable& table = table_of(caller);
  CallerCounts& counts = table.find_or_add(table.id_of(caller));
  if (counts_failures) {
    if (auto excess = find_excess(counts, Limit::kFailedCredentials)) return excess;
  }
  if (auto excess = find_excess(counts, Limit::kRequests)) return excess;
  take(counts, Limit::kRequests);
  return std::nullopt;
}

std::optional<RateLimits::Excess> RateLimits::find_excess_of_keys(const std::string& caller) {
  if (!rate(Limit::kUnfinishedKeys).is_on() && !rate(Limit::kKeys).is_on()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  CallerTable& table = table_of(caller);
  CallerCounts* counts = table.find(table.id_of(caller));
  if (counts == nullptr) return std::nullopt;
  if (auto excess = find_excess(*counts, Limit::kUnfinishedKeys)) return excess;
  return find_excess(*counts, Limit::kKeys);
}

std::optional<RateLimits::Excess> RateLimits::begin_charge(const std::string& caller, Charge& charge) {
  const TokenRate& rate_of_declines = rate(Limit::kDeclines);
  if (!rate_of_declines.is_on()) return std::nullopt;
  // The end of an earlier charge takes the lock too.
  charge = {};
  const std::lock_guard lock(mutex_);
  CallerTable& table = table_of(caller);
  const CallerTable::Id id = table.id_of(caller);
  CallerCounts& counts = table.find_or_add(id);
  if (auto excess = find_excess(counts, Limit::kDeclines)) return excess;
  if (counts.charges >= counts[Limit::kDeclines].left(rate_of_declines, clock_())) return Excess{};
  ++counts.charges;
  charge = Charge(*this, table, id);
  return std::nullopt;
}

void RateLimits::end(const Charge& charge) {
  const std::lock_guard lock(mutex_);
  CallerCounts* counts = charge.table_->find(charge.caller_);
  // The counts may have been given up for those of others, and begun again.
  if (counts != nullptr && counts->charges > 0) --counts->charges;
}

void RateLimits::count(const std::string& caller, const Usage& usage) {
  if (!usage.is_new_key && !usage.is_decline) return;
  const std::lock_guard lock(mutex_);
  CallerTable& table = table_of(caller);
  CallerCounts& counts = table.find_or_add(table.id_of(caller));
  if (usage.is_new_key) take(counts, Limit::kKeys);
  if (usage.is_new_key && usage.is_unfinished) take(counts, Limit::kUnfinishedKeys);
  if (usage.is_decline) take(counts, Limit::kDeclines);
}

void RateLimits::count_failed_credentials(const std::string& address) {
  const std::lock_guard lock(mutex_);
  take(addresses_.find_or_add(addresses_.id_of(address)), Limit::kFailedCredentials);
}

std::optional<RateLimits::Excess> RateLimits::find_excess(CallerCounts& counts, Limit limit) const {
  if (!rate(limit).is_on()) return std::nullopt;
  const std::chrono::nanoseconds wait = counts[limit].wait(rate(limit), clock_());
  if (wait.count() == 0) return std::nullopt;
  return Excess{limit, std::chrono::ceil<std::chrono::seconds>(wait)};
}

void RateLimits::take(CallerCounts& counts, Limit limit) const {
  if (rate(limit).is_on()) counts[limit].take(rate(limit), clock_());
}

}  // namespace rocket::api
