#pragma once

#include <string>

#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// Makes an API token of this user that permits to read and to write, and returns the Authorization header.
std::string make_bearer(TestDatabase& database, const std::string& user = kUser);

}  // namespace rocket::spec
