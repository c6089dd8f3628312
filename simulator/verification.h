#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "rocket/base/log.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/process/stop_signal.h"
#include "simulator/database.h"
#include "simulator/promises.h"
#include "simulator/witness.h"

namespace rocket::simulator {

struct VerificationOptions {
  Limits limits;
  std::chrono::seconds settle;
  // Empty: the ledger is not checked.
  std::string ledger;
  std::size_t max_named = 10;
};

// Checks the contract's promises in the database, and the answers that clients got. Changes nothing, and may
// run while others work.
class Verification {
 public:
  // Prints to `report`, one line per promise. Everything passed by reference must outlive it.
  Verification(Database& database, const endpoints::Endpoints& endpoints, VerificationOptions options,
               const Log& report, process::StopSignal& stop);

  // Returns the number of broken promises. A promise that cannot be checked counts as broken. Returns nullopt
  // if told to stop before the end.
  std::optional<int> run(const std::vector<Acknowledged>& acknowledged);

 private:
  using Offenders = std::optional<std::vector<std::string>>;

  // Waits until no unfinished key is leased or due, or the time is over. Returns false if told to stop.
  bool settle();
  Offenders offenders_of(const pg::Query& query);
  Offenders lost_answers(const std::vector<Acknowledged>& acknowledged);
  // Both return false if told to stop.
  bool check(const std::string& promise, const std::function<Offenders()>& find_offenders);
  bool check_ledger();
  void report(const std::string& promise, const std::vector<std::string>& offenders);

  Database& database_;
  const endpoints::Endpoints& endpoints_;
  VerificationOptions options_;
  const Log& report_;
  process::StopSignal& stop_;
  int broken_ = 0;
};

}  // namespace rocket::simulator
