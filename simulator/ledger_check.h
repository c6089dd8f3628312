#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simulator/database.h"

namespace rocket::simulator {

struct LedgerFindings {
  // Rides that the provider was asked to charge in more than one way.
  std::vector<std::string> charged_twice;
  // Rides whose charge it was asked to refund in more than one way.
  std::vector<std::string> refunded_twice;
  // Rides of which provider and database tell different stories.
  std::vector<std::string> disagreeing;
};

// Compares the mock provider's ledger with the rides, traffic or not. The ledger must hold the calls for this
// database and no other. nullopt: told to stop. Throws pg::StatementFailed, and what Ledger::read throws.
std::optional<LedgerFindings> check_ledger(Database& database, const std::string& path);

}  // namespace rocket::simulator
