#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "idempotency/keys.h"

namespace rocket::idempotency {

// The leases that this process works on now, so that it can hand them back if it must stop before their
// requests end. Thread safe.
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
    std::string token_;
  };

  std::vector<Lease> all() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Lease> by_token_;
};

}  // namespace rocket::idempotency
