#pragma once

#include <string>

#include "spec/support/test_database.h"

namespace rocket::spec {

// The history of this idempotency key, oldest first, one line for each row: attempt, process, outcome, reason
// and from > to, with "-" for what is not known. Empty if there is none.
std::string history_of(TestDatabase& database, const std::string& key);

}  // namespace rocket::spec
