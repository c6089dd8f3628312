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
    std::set<std::string> refund_keys;
    // The ids of the refunds, and the ids of the charges that were refunded.
    std::set<std::string> refunds;
    std::set<std::string> refunded_charges;
  };

  // A missing file is an empty ledger, because the first call creates the file. Throws std::runtime_error if
  // a line is not understood.
  static Ledger read(const std::string& path);

  const std::map<std::string, Calls>& rides() const { return rides_; }
  // Returns nullptr if the provider was never called for this ride.
  const Calls* find(const std::string& ride_id) const;
  bool charged(const std::string& ride_id, const std::string& charge_key, const std::string& charge_id) const;
  bool refunded(const std::string& ride_id, const std::string& refund_key,
                const std::string& refund_id) const;

  // Rides with more than one charge key or outcome, and rides that share a charge key or a charge with
  // another ride.
  std::vector<std::string> inconsistent_rides() const;
  // Rides with more than one refund or refund key, rides with a refund of another ride's charge, and rides
  // that share a refund.
  std::vector<std::string> inconsistent_refunds() const;

 private:
  std::map<std::string, Calls> rides_;
};

}  // namespace rocket::simulator
