#include "payments/mock_gateway.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/settings.h"

namespace rocket::payments {
namespace {

constexpr const char* kDeclined = "declined";

std::string charge_id_for(std::string charge_key) {
  charge_key.erase(std::remove(charge_key.begin(), charge_key.end(), '-'), charge_key.end());
  return "ch_" + charge_key;
}

}  // namespace

void MockOptions::add_to(Settings& settings) {
  using std::chrono::milliseconds;
  settings.add("mock-latency", {"MOCK_LATENCY_MS"}, "how long the mock provider takes to answer", latency,
               milliseconds(0), milliseconds(60000));
  settings.add("mock-outage", {"MOCK_OUTAGE_PERCENT"}, "%", "calls that find the mock provider away",
               outage_percent, 0, 100);
  settings.add("mock-lost", {"MOCK_LOST_PERCENT"}, "%", "calls that charge and whose answer is lost",
               lost_percent, 0, 100);
  settings.add("mock-ledger", {"MOCK_LEDGER"}, "file that records every call to the mock provider", ledger);
}

MockGateway::MockGateway(MockOptions options) : options_(std::move(options)) {
  if (options_.ledger.empty()) return;
  ledger_ = ::open(options_.ledger.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (ledger_ < 0) throw std::system_error(errno, std::generic_category(), options_.ledger);
}

MockGateway::~MockGateway() {
  if (ledger_ >= 0) ::close(ledger_);
}

asio::awaitable<ChargeResult> MockGateway::charge(ChargeRequest request) {
  const bool away = happens(options_.outage_percent);
  const bool lost = !away && happens(options_.lost_percent);
  const bool declined = request.customer_id == kDeclinedCustomer;
  const std::string charge_id = charge_id_for(request.charge_key);
  if (!away) record(request, declined ? kDeclined : charge_id, lost);
  if (options_.latency > std::chrono::milliseconds::zero()) {
    asio::steady_timer timer(co_await asio::this_coro::executor, options_.latency);
    co_await timer.async_wait(asio::use_awaitable);
  }
  if (away) co_return NoAnswer{"the mock provider is away"};
  if (lost) co_return NoAnswer{"the mock provider's answer was lost"};
  if (declined) co_return Declined{"Your card was declined."};
  co_return Charged{charge_id};
}

asio::awaitable<LookupResult> MockGateway::find(ChargeRequest request) {
  if (options_.ledger.empty()) co_return Unknown{"the mock provider keeps no ledger"};
  std::ifstream ledger(options_.ledger);
  for (std::string line; std::getline(ledger, line);) {
    std::istringstream words(line);
    std::string charge_key, customer, cents, ride_id, outcome;
    words >> charge_key >> customer >> cents >> ride_id >> outcome;
    if (charge_key == request.charge_key && outcome != kDeclined) co_return Charged{outcome};
  }
  co_return NeverCharged{};
}

void MockGateway::record(const ChargeRequest& request, const std::string& outcome, bool lost) const {
  if (ledger_ < 0) return;
  const std::string line = request.charge_key + ' ' + request.customer_id + ' ' +
                           std::to_string(request.amount_cents) + ' ' + request.ride_id + ' ' + outcome +
                           (lost ? " lost\n" : " -\n");
  // One short write in append mode: lines of several processes do not mix.
  if (::write(ledger_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::system_error(errno, std::generic_category(), options_.ledger);
  }
}

// Spread evenly over the calls rather than at random, so that a share of 50 % is every other call.
bool MockGateway::happens(std::int64_t percent) {
  if (percent == 0) return false;
  const auto call = calls_.fetch_add(1, std::memory_order_relaxed) * 37;
  return static_cast<std::int64_t>(call % 100) < percent;
}

}  // namespace rocket::payments
