#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "api/keyed_hash.h"
#include "api/token_bucket.h"

namespace rocket::api {

// What has a limit.
enum class Limit : std::size_t { kRequests, kFailedCredentials, kDeclines, kUnfinishedKeys, kKeys };
inline constexpr std::size_t kLimits = 5;

// What has been counted for one caller.
class CallerCounts {
 public:
  TokenBucket& operator[](Limit limit) { return buckets_[static_cast<std::size_t>(limit)]; }

  // From then on it makes no difference whether these counts are remembered.
  TokenBucket::Time forgettable_at() const;

  // Charges under way, which may still be declined.
  std::uint32_t charges = 0;

 private:
  std::array<TokenBucket, kLimits> buckets_;
};

// The counts of many callers, in memory of a fixed size. Each caller has eight places of which they may have
// one. If all eight are taken by others, the one whose counts would be forgotten soonest is given up. So a
// crowd of new callers does not push out one with many counts, unless as much is counted for each of them.
// Nobody knows who shares places, because the hash has a secret key. Not thread safe.
class CallerTable {
 public:
  // A power of two.
  explicit CallerTable(std::size_t places = 32'768);

  // Identifies a caller in this table.
  using Id = std::uint64_t;
  Id id_of(std::string_view caller) const;

  // Returns nullptr if nothing is remembered. The result is valid until the next call of find_or_add().
  CallerCounts* find(Id caller);
  // The same, but with new counts for a caller of whom nothing is remembered.
  CallerCounts& find_or_add(Id caller);

 private:
  static constexpr std::size_t kPlaces = 8;
  struct Place {
    Id caller = 0;
    CallerCounts counts;
  };
  using Set = std::array<Place, kPlaces>;
  Set& set_of(Id caller) { return sets_[caller & (sets_.size() - 1)]; }

  HashKey key_;
  std::vector<Set> sets_;
};

}  // namespace rocket::api
