#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simulator/database.h"

namespace rocket::simulator {

struct LedgerFindings {
  // Rides whose charge is wrong in the ledger; see Ledger::inconsistent_rides.
  std::vector<std::string> charged_twice;
  // Rides whose refund is wrong in the ledger; see Ledger::inconsistent_refunds.
  std::vector<std::string> refunded_twice;
  // Rides about which provider and database disagree.
  std::vector<std::string> disagreeing;
};

// Compares the mock provider's ledger with the rides, also during traffic. The ledger must hold the calls for
// this database and no other. Returns nullopt if told to stop. Throws pg::StatementFailed, and what
// Ledger::read throws.
std::optional<LedgerFindings> check_ledger(Database& database, const std::string& path);

}  // namespace rocket::simulator
