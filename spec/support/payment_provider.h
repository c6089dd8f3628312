#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "spec/support/child_process.h"

namespace rocket::spec {

// The ids of the charges, or of the refunds, of each ride. No ride may have two charges or two refunds.
using ChargesByRide = std::map<std::string, std::set<std::string>>;

// A payment provider that runs as its own process, so it remembers everything when one of our processes
// crashes. It speaks Stripe's API. Its source is support/provider.
class PaymentProvider {
 public:
  explicit PaymentProvider(const std::vector<std::string>& flags = {});

  static constexpr const char* kApiKey = "sk_test_of_specs";
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The environment of a process that must use this provider.
  Environment environment() const;

  // Lets the next calls fail. `fault` is a form for Faults::plan() in support/provider/faults.h, such as
  // "kind=silence&times=3".
  void fail(const std::string& fault) const { tell("faults", fault); }
  // Drops all planned faults.
  void heal() const { tell("heal"); }
  // Forgets all idempotency keys, as Stripe does after a day.
  void forget_keys() const { tell("forget"); }
  void answer_after(int milliseconds) const { tell("latency", "ms=" + std::to_string(milliseconds)); }

  // {"attempts": […], "charges": […], "refund_attempts": […], "refunds": […], "connections": n, "calls": n,
  // "traceparents": […]}
  nlohmann::json ledger() const;
  ChargesByRide charges() const;
  // Likewise for refunds.
  ChargesByRide refunds() const;
  std::size_t attempts() const { return ledger()["attempts"].size(); }

 private:
  ChargesByRide by_ride(const char* what) const;
  void tell(const std::string& what, const std::string& form = {}) const;

  ChildProcess process_;
  std::uint16_t port_ = 0;
};

}  // namespace rocket::spec
