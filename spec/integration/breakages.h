#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/ledger.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A database and the provider's ledger as the api leaves them, with at least one request of each kind.
//
// Everything in the database has a name. Requests are `ride`, `other`, `declined`, `open` (its ride is not
// charged yet), `cancelled` and `cancelled_too` (which made rides), `cancellation` and `cancellation_too` (of
// these), `deposit` and `deposit_too`. {ride.key} is the id of its key, and so on; {….id} is that of the ride
// or deposit. Rides have {….charge}, {….charge_key} and {….job}: the receipt, and of cancelled ones that of
// the refund. {user} made them all but the declined one.
class WholeDatabase {
 public:
  WholeDatabase();

  TestDatabase& database() { return database_; }
  const Ledger& ledger() const { return ledger_; }
  // The idempotency key that the client chose.
  static std::string client_key(const std::string& request) { return "spec-whole-database-" + request; }
  // Replaces every name in braces by its value.
  std::string filled_in(std::string text) const;
  // The constraints would refuse most breakages.
  void drop_constraints();

 private:
  void name_everything();

  TestDatabase database_;
  Ledger ledger_;
  std::map<std::string, std::string> names_;
};

// A change behind the program's back, with names in braces.
struct Change {
  std::string sql;
  // Exactly the offenders that the check of the promise must name.
  std::set<std::string> offenders;
};

// The ways to break each promise. The first changes of all promises can be made together.
using Breakages = std::vector<std::pair<std::string, std::vector<Change>>>;
const Breakages& breakages();

// Changes that break no promise.
const std::vector<std::string>& harmless_changes();

}  // namespace rocket::spec
