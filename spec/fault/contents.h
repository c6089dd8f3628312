#pragma once

#include <map>
#include <string>
#include <vector>

#include "spec/support/test_database.h"

namespace rocket::spec {

// The tables of what requests make, and do not share.
std::vector<std::string> tables_of_requests(TestDatabase& database);

// What there is in the database, as far as it depends on what was asked for and not on how often it was
// tried: how many rows each table has, how many values each column, the sums of what is counted in them, how
// the keys ended, what belongs together, and what was answered about it.
std::map<std::string, std::string> contents(TestDatabase& database);

}  // namespace rocket::spec
