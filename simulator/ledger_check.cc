#include "simulator/ledger_check.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "simulator/ledger.h"

namespace rocket::simulator {
namespace {

constexpr int kPage = 10'000;

// $1: the last id of the previous page. $2: rides per page.
constexpr pg::Statement kRides{"ledger_rides", R"sql(
SELECT ride.id, ride.charge_key, ride.stripe_charge_id, key.response_code, refund.refund_key, refund.stripe_refund_id
  FROM rides ride
  LEFT JOIN idempotency_keys key ON key.id = ride.idempotency_key_id
  LEFT JOIN refunds refund ON refund.ride_id = ride.id
 WHERE ride.id > $1::bigint
 ORDER BY ride.id
 LIMIT $2::bigint
)sql"};

struct Ride {
  std::string id;
  std::string charge_key;
  std::optional<std::string> charge_id;
  bool is_finished = false;
  std::optional<std::string> refund_key;
  std::optional<std::string> refund_id;
};

struct Comparison {
  // The provider is called after the ride is committed, and before the charge is committed. So, while traffic
  // goes on, what is in an earlier reading of the ledger must be in the database, and what is in the database
  // must be in a later reading of the ledger.
  Ledger earlier;
  std::unordered_set<std::string> seen;
  std::vector<Ride> charged;
  std::vector<std::string> disagreeing;

  void add(Ride ride) {
    seen.insert(ride.id);
    if (const auto* calls = earlier.find(ride.id)) {
      const bool declined = calls->outcomes.contains("declined");
      const bool contradicts = declined ? ride.charge_id.has_value() : ride.is_finished && !ride.charge_id;
      const bool refunded_unasked =
          !calls->refund_keys.empty() && (!ride.refund_key || !calls->refund_keys.contains(*ride.refund_key));
      if (!calls->charge_keys.contains(ride.charge_key) || contradicts || refunded_unasked)
        disagreeing.push_back("ride " + ride.id);
    }
    if (ride.charge_id) charged.push_back(std::move(ride));
  }

  void finish(const Ledger& later) {
    for (const auto& [ride_id, calls] : earlier.rides()) {
      if (!seen.contains(ride_id)) disagreeing.push_back("ride " + ride_id + " (not in the database)");
    }
    for (const Ride& ride : charged) {
      const bool is_charged = later.charged(ride.id, ride.charge_key, *ride.charge_id);
      const bool is_refunded =
          !ride.refund_id || later.refunded(ride.id, ride.refund_key.value_or(""), *ride.refund_id);
      if (!is_charged || !is_refunded) disagreeing.push_back("ride " + ride.id);
    }
    std::sort(disagreeing.begin(), disagreeing.end());
    disagreeing.erase(std::unique(disagreeing.begin(), disagreeing.end()), disagreeing.end());
  }
};

}  // namespace

std::optional<LedgerFindings> check_ledger(Database& database, const std::string& path) {
  Comparison comparison{.earlier = Ledger::read(path), .seen = {}, .charged = {}, .disagreeing = {}};
  std::string last_id = "0";
  for (;;) {
    const std::optional<pg::Result> page = database.run({kRides, {last_id, std::to_string(kPage)}});
    if (!page) return std::nullopt;
    for (int row = 0; row < page->rows(); ++row) {
      last_id = page->text(row, "id");
      comparison.add({last_id, std::string(page->text(row, "charge_key")),
                      page->optional_text(row, "stripe_charge_id"), !page->is_null(row, "response_code"),
                      page->optional_text(row, "refund_key"), page->optional_text(row, "stripe_refund_id")});
    }
    if (page->rows() < kPage) break;
  }
  const Ledger later = Ledger::read(path);
  comparison.finish(later);
  return LedgerFindings{later.inconsistent_rides(), later.inconsistent_refunds(),
                        std::move(comparison.disagreeing)};
}

}  // namespace rocket::simulator
