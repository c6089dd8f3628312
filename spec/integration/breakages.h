#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/ledger.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// A database and the provider's ledger as the api leaves them, with something of everything.
//
// What is in it has a name. Requests are `ride`, `other`, `declined`, `open` (its ride is not charged yet),
// `cancelled` and `cancelled_too` (which made rides), `cancellation` and `cancellation_too` (of these),
// `deposit` and `deposit_too`. {ride.key} is the id of its key, and so on; {….id} is that of the ride or
// deposit. Rides have {….charge}, {….charge_key} and {….job}: the receipt, and of cancelled ones that of the
// refund. {user} made them all but the declined one.
class WholeDatabase {
 public:
  WholeDatabase();

  TestDatabase& database() { return database_; }
  const Ledger& ledger() const { return ledger_; }
  // What the client chose.
  static std::string client_key(const std::string& request) { return "spec-whole-database-" + request; }
  // With every name in braces replaced by what it stands for.
  std::string filled_in(std::string text) const;
  // They refuse most of what can be broken.
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
  // What the check of its promise must name; nothing else.
  std::set<std::string> offenders;
};

// For each promise the ways to break it. The first ones of all promises leave each other's damage alone.
using Breakages = std::vector<std::pair<std::string, std::vector<Change>>>;
const Breakages& breakages();

// Changes that break none.
const std::vector<std::string>& harmless_changes();

}  // namespace rocket::spec
