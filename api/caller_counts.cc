#include "api/caller_counts.h"

#include <algorithm>

namespace rocket::api {

TokenBucket::Time CallerCounts::forgettable_at() const {
  if (charges > 0) return TokenBucket::Time::max();
  return std::max_element(buckets_.begin(), buckets_.end(),
                          [](const auto& a, const auto& b) { return a.full_at() < b.full_at(); })
      ->full_at();
}

CallerTable::CallerTable(std::size_t places)
    : key_(random_hash_key()), sets_(std::max<std::size_t>(1, places / kPlaces)) {}

CallerTable::Id CallerTable::id_of(std::string_view caller) const {
  // 0 is the id of an empty place.
  return std::max<Id>(1, keyed_hash(key_, caller));
}

CallerCounts* CallerTable::find(Id caller) {
  Set& set = set_of(caller);
  const auto place =
      std::find_if(set.begin(), set.end(), [&](const Place& each) { return each.caller == caller; });
  return place == set.end() ? nullptr : &place->counts;
}

CallerCounts& CallerTable::find_or_add(Id caller) {
  if (CallerCounts* counts = find(caller)) return *counts;
  Set& set = set_of(caller);
  Place& place = *std::min_element(set.begin(), set.end(), [](const Place& a, const Place& b) {
    return a.counts.forgettable_at() < b.counts.forgettable_at();
  });
  place = {caller, {}};
  return place.counts;
}

}  // namespace rocket::api
