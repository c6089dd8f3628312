#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace rocket::simulator {

// What the mock provider recorded, by the idempotency key that the calls carried. See payments/mock_gateway.h
// for the format.
class Ledger {
 public:
  struct Calls {
    bool are_refunds = false;
    // Ids of charges or refunds, and "declined".
    std::set<std::string> outcomes;
    // The charges whose money the refunds gave back.
    std::set<std::string> refunded_charges;

    bool is_declined() const;
  };

  // An absent file is an empty ledger: the first call creates the file. Throws std::runtime_error if a line
  // is not understood.
  static Ledger read(const std::string& path);

  const std::map<std::string, Calls>& calls() const { return calls_; }
  // Returns nullptr if no call carried this key.
  const Calls* find(const std::string& key) const;
  // Whether a call with this key moved what has this id.
  bool moved(const std::string& key, const std::string& id) const;

  // Keys whose calls made more than one charge, and keys that share a charge with another one.
  std::vector<std::string> repeated_charges() const;
  // The same of refunds. Also keys of refunds whose charge was never made, or was given back under another
  // key.
  std::vector<std::string> repeated_refunds() const;

 private:
  std::vector<std::string> repeated(bool refunds) const;

  std::map<std::string, Calls> calls_;
};

}  // namespace rocket::simulator
