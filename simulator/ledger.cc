#include "simulator/ledger.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

namespace rocket::simulator {
namespace {

constexpr const char* kDeclined = "declined";

}  // namespace

bool Ledger::Calls::is_declined() const { return outcomes.contains(kDeclined); }

Ledger Ledger::read(const std::string& path) {
  Ledger ledger;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key, whose, cents, ride_id, outcome, loss;
    if (!(words >> key >> whose >> cents >> ride_id >> outcome >> loss)) {
      throw std::runtime_error(path + " has a line that is not understood");
    }
    Calls& calls = ledger.calls_[key];
    calls.outcomes.insert(outcome);
    if (!cents.starts_with('-')) continue;
    calls.are_refunds = true;
    calls.refunded_charges.insert(whose);
  }
  return ledger;
}

const Ledger::Calls* Ledger::find(const std::string& key) const {
  const auto found = calls_.find(key);
  return found == calls_.end() ? nullptr : &found->second;
}

bool Ledger::moved(const std::string& key, const std::string& id) const {
  const Calls* calls = find(key);
  return calls != nullptr && calls->outcomes.contains(id);
}

std::vector<std::string> Ledger::repeated(bool refunds) const {
  std::unordered_map<std::string, int> uses;
  for (const auto& [key, calls] : calls_) {
    for (const auto& outcome : calls.outcomes) {
      if (outcome != kDeclined) ++uses[outcome];
    }
  }
  const auto is_shared = [&](const std::string& outcome) {
    return outcome != kDeclined && uses.at(outcome) > 1;
  };
  std::vector<std::string> keys;
  for (const auto& [key, calls] : calls_) {
    if (calls.are_refunds != refunds) continue;
    if (calls.outcomes.size() > 1 || is_shared(*calls.outcomes.begin())) keys.push_back(key);
  }
  return keys;
}

std::vector<std::string> Ledger::repeated_charges() const { return repeated(false); }

std::vector<std::string> Ledger::repeated_refunds() const {
  std::unordered_set<std::string> charges;
  std::unordered_map<std::string, int> refunds;
  for (const auto& [key, calls] : calls_) {
    if (!calls.are_refunds) charges.insert(calls.outcomes.begin(), calls.outcomes.end());
    for (const auto& charge : calls.refunded_charges) ++refunds[charge];
  }
  std::vector<std::string> keys = repeated(true);
  for (const auto& [key, calls] : calls_) {
    const bool is_wrong =
        std::any_of(calls.refunded_charges.begin(), calls.refunded_charges.end(), [&](const auto& charge) {
          return !charges.contains(charge) || charge == kDeclined || refunds.at(charge) > 1;
        });
    if (is_wrong || calls.refunded_charges.size() > 1) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace rocket::simulator
