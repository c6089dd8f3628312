#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rocket/payments/charge_gateway.h"

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
  // When set, every call is appended to this file, one line each; several processes may share it.
  std::string ledger;

  // Adds --mock-… flags for each.
  void add_to(Settings& settings);
};

// A call that the mock provider's ledger records.
struct LedgerEntry {
  // The id of the charge or refund; nullopt if the card was declined.
  std::optional<std::string> moved;
  // Our side never got the answer.
  bool answer_lost = false;
};

// Returns the calls with this charge or refund key, oldest first. Reads only the last bytes of the ledger.
std::vector<LedgerEntry> read_ledger(const std::string& ledger, const std::string& key,
                                     std::int64_t last_bytes);

// A provider that exists only in this program. It charges every customer except the one whose card is
// declined.
//
// Like a real provider, it knows charges by their key. The charge id is computed from the key, so every
// process gives the same answer to the same key, also after a restart. Two charges for one ride would be two
// keys for one ride, and the ledger would show them. The same holds for refunds.
//
// A ledger line is: charge key, customer, cents, ride id, charge id or "declined", "-" or "lost"; for a
// refund: refund key, charge id, cents below zero, ride id, refund id, "-" or "lost".
class MockGateway : public ChargeGateway {
 public:
  static constexpr const char* kDeclinedCustomer = "cus_user_bad_source";

  // Throws std::system_error when the ledger cannot be opened.
  explicit MockGateway(MockOptions options);
  ~MockGateway() override;
  MockGateway(const MockGateway&) = delete;
  MockGateway& operator=(const MockGateway&) = delete;

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
  int ledger_ = -1;
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace rocket::payments
