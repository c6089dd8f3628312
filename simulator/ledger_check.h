#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rocket/endpoints/endpoint.h"
#include "simulator/database.h"

namespace rocket::simulator {

// Keys that calls of the provider carried.
struct LedgerFindings {
  // See Ledger::repeated_charges and Ledger::repeated_refunds.
  std::vector<std::string> charged_twice;
  std::vector<std::string> refunded_twice;
  // About these, provider and database disagree.
  std::vector<std::string> disagreeing;
};

// Compares the mock provider's ledger with the effects of all endpoints, also during traffic. The ledger must
// hold the calls for this database and no other. Returns nullopt if told to stop. Throws pg::StatementFailed,
// and what Ledger::read throws.
std::optional<LedgerFindings> check_ledger(Database& database, const endpoints::Endpoints& endpoints,
                                           const std::string& path);

}  // namespace rocket::simulator
