#include "rocket/idempotency/held_leases.h"

namespace rocket::idempotency {

HeldLeases::Entry::Entry(HeldLeases& list, const Lease& lease) : list_(list) {
  const std::lock_guard lock(list_.mutex_);
  place_ = list_.leases_.insert(list_.leases_.end(), lease);
}

HeldLeases::Entry::~Entry() {
  const std::lock_guard lock(list_.mutex_);
  list_.leases_.erase(place_);
}

std::vector<Lease> HeldLeases::all() const {
  const std::lock_guard lock(mutex_);
  return {leases_.begin(), leases_.end()};
}

}  // namespace rocket::idempotency
