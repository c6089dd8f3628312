#pragma once

#include <string>

#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {

// Makes an API token of this user, and returns the Authorization header.
std::string make_bearer(TestDatabase& database, const std::string& user = kUser,
                        const std::string& scopes = "{read,write}");

}  // namespace rocket::spec
