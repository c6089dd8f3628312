#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "rocket/payments/charge_gateway.h"
#include "rocket/payments/mock_ledger.h"

namespace rocket {
class Settings;
}

namespace rocket::payments {

struct MockOptions {
  std::chrono::milliseconds latency{0};
  // Calls that find the provider away: no effect, no answer.
  std::int64_t outage_percent = 0;
  // Calls that charge or refund, and whose answer is then lost.
  std::int64_t lost_percent = 0;
  // When set, every call is noted in this file; see MockLedger.
  std::string ledger;

  // Adds --mock-… flags for each.
  void add_to(Settings& settings);
};

// A provider that exists only in this program. It charges every customer except the one whose card is
// declined.
//
// Like a real provider, it knows charges by their key. The charge id is computed from the key, so every
// process gives the same answer to the same key, also after a restart. Two charges for one ride would be two
// keys for one ride, and the ledger would show them. The same holds for refunds.
class MockGateway : public ChargeGateway {
 public:
  static constexpr const char* kDeclinedCustomer = "cus_user_bad_source";

  // Throws std::system_error when the ledger cannot be opened.
  explicit MockGateway(MockOptions options);

  asio::awaitable<ChargeResult> charge(ChargeRequest request) override;
  // Reads the ledger. Without a ledger, there is nothing to look up.
  asio::awaitable<LookupResult> find(ChargeRequest request) override;
  asio::awaitable<RefundResult> refund(RefundRequest request) override;
  asio::awaitable<RefundLookupResult> find_refund(RefundRequest request) override;

 private:
  enum class Fault { kNone, kAway, kLost };

  Fault next_fault();
  static NoAnswer no_answer(Fault fault);
  asio::awaitable<void> take_time() const;
  void record(const std::string& call, Fault fault) const;
  // The outcome of an earlier call with this key that moved money.
  std::optional<std::string> recorded(const std::string& key) const;
  bool happens(std::int64_t percent);

  MockOptions options_;
  std::optional<MockLedger> ledger_;
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace rocket::payments
