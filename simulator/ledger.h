#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace rocket::simulator {

// What the mock provider recorded, by ride. See payments/mock_gateway.h for the format.
class Ledger {
 public:
  struct Calls {
    std::set<std::string> charge_keys;
    // Charge ids, and "declined".
    std::set<std::string> outcomes;
  };

  // An absent file is an empty ledger: it is created by the first call. Throws std::runtime_error when a line
  // is not understood.
  static Ledger read(const std::string& path);

  const std::map<std::string, Calls>& rides() const { return rides_; }
  // nullptr when the provider was never called for it.
  const Calls* find(const std::string& ride_id) const;
  bool charged(const std::string& ride_id, const std::string& charge_key, const std::string& charge_id) const;

  // Rides with more than one charge key or outcome, and rides that share one with another ride.
  std::vector<std::string> inconsistent_rides() const;

 private:
  std::map<std::string, Calls> rides_;
};

}  // namespace rocket::simulator
