#pragma once

#include <list>
#include <mutex>
#include <vector>

#include "rocket/idempotency/keys.h"

namespace rocket::idempotency {

// The leases that this process works on or still has to release, so that it can release them if it must
// stop before that. Thread safe.
class HeldLeases {
 public:
  // A lease is listed while its entry lives; the entry must not outlive the list.
  class Entry {
   public:
    Entry(HeldLeases& list, const Lease& lease);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    HeldLeases& list_;
    std::list<Lease>::iterator place_;
  };

  std::vector<Lease> all() const;

 private:
  mutable std::mutex mutex_;
  std::list<Lease> leases_;
};

}  // namespace rocket::idempotency
