#pragma once

#include <map>
#include <string>
#include <vector>

#include "spec/support/test_database.h"

namespace rocket::spec {

// The tables whose rows belong to one request each.
std::vector<std::string> tables_of_requests(TestDatabase& database);

// A summary of the database that depends on the requests but not on the number of attempts: the number of
// rows of each table, the number of values and the sum of each column, how the keys ended, which rows belong
// together, and what the answers said about them. The history of keys is left out, because it tells of
// attempts.
std::map<std::string, std::string> contents(TestDatabase& database);

}  // namespace rocket::spec
