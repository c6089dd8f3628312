#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// Charges, or refunds, that moved money, by ride: one promise is that no ride has two.
using ChargesByRide = std::map<std::string, std::set<std::string>>;

// A payment provider: a process with a memory of its own, which no crash of ours touches. It speaks Stripe's
// API; support/provider is its source.
class PaymentProvider {
 public:
  explicit PaymentProvider(const std::vector<std::string>& flags = {});

  static constexpr const char* kApiKey = "sk_test_of_specs";
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // For processes that are to use it.
  Environment environment() const;

  // The next calls fail; the form is that of support/provider/faults.h, such as "kind=silence&times=3".
  void fail(const std::string& fault) const { tell("faults", fault); }
  // No more of what was planned.
  void heal() const { tell("heal"); }
  // As Stripe does after a day.
  void forget_keys() const { tell("forget"); }
  void answer_after(int milliseconds) const { tell("latency", "ms=" + std::to_string(milliseconds)); }

  // {"attempts": […], "charges": […], "refund_attempts": […], "refunds": […], "connections": n, "calls": n}
  nlohmann::json ledger() const;
  ChargesByRide charges() const;
  // Likewise.
  ChargesByRide refunds() const;
  std::size_t attempts() const { return ledger()["attempts"].size(); }

 private:
  ChargesByRide by_ride(const char* what) const;
  void tell(const std::string& what, const std::string& form = {}) const;

  ChildProcess process_;
  std::uint16_t port_ = 0;
};

}  // namespace rocket::spec
