#include "idempotency/held_leases.h"

namespace rocket::idempotency {

HeldLeases::Entry::Entry(HeldLeases& list, const Lease& lease) : list_(list), token_(lease.token) {
  const std::lock_guard lock(list_.mutex_);
  list_.by_token_.insert_or_assign(token_, lease);
}

HeldLeases::Entry::~Entry() {
  const std::lock_guard lock(list_.mutex_);
  list_.by_token_.erase(token_);
}

std::vector<Lease> HeldLeases::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<Lease> leases;
  leases.reserve(by_token_.size());
  for (const auto& [token, lease] : by_token_) leases.push_back(lease);
  return leases;
}

}  // namespace rocket::idempotency
