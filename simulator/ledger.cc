#include "simulator/ledger.h"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

namespace rocket::simulator {
namespace {

constexpr const char* kDeclined = "declined";

}  // namespace

Ledger Ledger::read(const std::string& path) {
  Ledger ledger;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string charge_key, customer, cents, ride_id, outcome, loss;
    if (!(words >> charge_key >> customer >> cents >> ride_id >> outcome >> loss)) {
      throw std::runtime_error(path + " has a line that is not understood");
    }
    Calls& calls = ledger.rides_[ride_id];
    if (cents.starts_with('-')) {
      // In the line of a refund, the first two words are the refund key and the charge id.
      calls.refund_keys.insert(charge_key);
      calls.refunded_charges.insert(customer);
      calls.refunds.insert(outcome);
      continue;
    }
    calls.charge_keys.insert(charge_key);
    calls.outcomes.insert(outcome);
  }
  return ledger;
}

const Ledger::Calls* Ledger::find(const std::string& ride_id) const {
  const auto found = rides_.find(ride_id);
  return found == rides_.end() ? nullptr : &found->second;
}

bool Ledger::charged(const std::string& ride_id, const std::string& charge_key,
                     const std::string& charge_id) const {
  const Calls* calls = find(ride_id);
  return calls != nullptr && calls->charge_keys.contains(charge_key) && calls->outcomes.contains(charge_id);
}

bool Ledger::refunded(const std::string& ride_id, const std::string& refund_key,
                      const std::string& refund_id) const {
  const Calls* calls = find(ride_id);
  return calls != nullptr && calls->refund_keys.contains(refund_key) && calls->refunds.contains(refund_id);
}

std::vector<std::string> Ledger::inconsistent_refunds() const {
  std::unordered_map<std::string, int> uses;
  for (const auto& [ride_id, calls] : rides_) {
    for (const auto& refund : calls.refunds) ++uses[refund];
  }
  std::vector<std::string> rides;
  for (const auto& [ride_id, calls] : rides_) {
    if (calls.refunds.empty()) continue;
    const bool one_of_each =
        calls.refund_keys.size() == 1 && calls.refunds.size() == 1 && uses.at(*calls.refunds.begin()) == 1;
    // After a declined card there is no charge, so a refund is wrong.
    if (!one_of_each || calls.refunded_charges != calls.outcomes) rides.push_back("ride " + ride_id);
  }
  return rides;
}

std::vector<std::string> Ledger::inconsistent_rides() const {
  std::unordered_map<std::string, int> uses;
  for (const auto& [ride_id, calls] : rides_) {
    for (const auto& charge_key : calls.charge_keys) ++uses[charge_key];
    for (const auto& outcome : calls.outcomes) {
      if (outcome != kDeclined) ++uses[outcome];
    }
  }
  const auto shared = [&](const std::set<std::string>& names) {
    for (const auto& name : names) {
      if (name != kDeclined && uses.at(name) > 1) return true;
    }
    return false;
  };
  std::vector<std::string> rides;
  for (const auto& [ride_id, calls] : rides_) {
    const bool one_of_each = calls.charge_keys.size() == 1 && calls.outcomes.size() == 1;
    if (!one_of_each || shared(calls.charge_keys) || shared(calls.outcomes))
      rides.push_back("ride " + ride_id);
  }
  return rides;
}

}  // namespace rocket::simulator
