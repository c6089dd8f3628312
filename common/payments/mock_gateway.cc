#include "rocket/payments/mock_gateway.h"

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <limits>
#include <utility>

#include "rocket/base/settings.h"

namespace rocket::payments {
namespace {

constexpr const char* kNoLedger = "the mock provider keeps no ledger";

std::string id_for(const char* prefix, std::string key) {
  key.erase(std::remove(key.begin(), key.end(), '-'), key.end());
  return prefix + key;
}

}  // namespace

void MockOptions::add_to(Settings& settings) {
  using std::chrono::milliseconds;
  settings.add("mock-latency", {"MOCK_LATENCY_MS"}, "how long the mock provider takes to answer", latency,
               milliseconds(0), milliseconds(60000));
  settings.add("mock-outage", {"MOCK_OUTAGE_PERCENT"}, "%", "calls that find the mock provider away",
               outage_percent, 0, 100);
  settings.add("mock-lost", {"MOCK_LOST_PERCENT"}, "%", "calls that take effect and whose answer is lost",
               lost_percent, 0, 100);
  settings.add("mock-ledger", {"MOCK_LEDGER"}, "file that records every call to the mock provider", ledger);
}

MockGateway::MockGateway(MockOptions options) : options_(std::move(options)) {
  if (!options_.ledger.empty()) ledger_.emplace(options_.ledger);
}

asio::awaitable<ChargeResult> MockGateway::charge(ChargeRequest request) {
  const Fault fault = next_fault();
  const bool declined = request.customer_id == kDeclinedCustomer;
  const std::string charge_id = id_for("ch_", request.charge_key);
  record(request.charge_key + ' ' + request.customer_id + ' ' + std::to_string(request.amount_cents) + ' ' +
             request.ride_id + ' ' + (declined ? MockLedger::kDeclined : charge_id),
         fault);
  co_await take_time();
  if (fault != Fault::kNone) co_return no_answer(fault);
  if (declined) co_return Declined{"Your card was declined."};
  co_return Charged{charge_id};
}

asio::awaitable<LookupResult> MockGateway::find(ChargeRequest request) {
  if (!ledger_) co_return Unknown{kNoLedger};
  if (auto charge_id = recorded(request.charge_key)) co_return Charged{std::move(*charge_id)};
  co_return NeverCharged{};
}

asio::awaitable<RefundResult> MockGateway::refund(RefundRequest request) {
  const Fault fault = next_fault();
  const std::string refund_id = id_for("re_", request.refund_key);
  record(request.refund_key + ' ' + request.charge_id + ' ' + std::to_string(-request.amount_cents) + ' ' +
             request.ride_id + ' ' + refund_id,
         fault);
  co_await take_time();
  if (fault != Fault::kNone) co_return no_answer(fault);
  co_return Refunded{refund_id};
}

asio::awaitable<RefundLookupResult> MockGateway::find_refund(RefundRequest request) {
  if (!ledger_) co_return Unknown{kNoLedger};
  if (auto refund_id = recorded(request.refund_key)) co_return Refunded{std::move(*refund_id)};
  co_return NeverRefunded{};
}

MockGateway::Fault MockGateway::next_fault() {
  if (happens(options_.outage_percent)) return Fault::kAway;
  return happens(options_.lost_percent) ? Fault::kLost : Fault::kNone;
}

NoAnswer MockGateway::no_answer(Fault fault) {
  return {fault == Fault::kAway ? "the mock provider is away" : "the mock provider's answer was lost"};
}

asio::awaitable<void> MockGateway::take_time() const {
  if (options_.latency == std::chrono::milliseconds::zero()) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor, options_.latency);
  co_await timer.async_wait(asio::use_awaitable);
}

void MockGateway::record(const std::string& call, Fault fault) const {
  if (ledger_ && fault != Fault::kAway) ledger_->append(call, fault == Fault::kLost);
}

std::optional<std::string> MockGateway::recorded(const std::string& key) const {
  constexpr auto kAll = std::numeric_limits<std::int64_t>::max();
  for (MockLedger::Entry& entry : MockLedger::read(options_.ledger, key, kAll)) {
    if (entry.moved) return std::move(entry.moved);
  }
  return std::nullopt;
}

// Faults are spread evenly over the calls, not at random: a share of 50 % is about every other call.
bool MockGateway::happens(std::int64_t percent) {
  if (percent == 0) return false;
  const auto call = calls_.fetch_add(1, std::memory_order_relaxed) * 37;
  return static_cast<std::int64_t>(call % 100) < percent;
}

}  // namespace rocket::payments
