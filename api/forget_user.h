#pragma once

#include <string>

#include "rocket/pg/connection.h"

namespace rocket::api {

// Removes everything that tells about a person, for --forget-user, in one transaction. What accounts and
// auditors need stays, without the person: the user's number, rides without places, amounts, charges,
// refunds, and who changed what when. Refused while requests of theirs are unfinished. Prints the result and
// returns the exit status. Throws what pg::Session throws.
int forget_user(const pg::ConnectionOptions& database, const std::string& email,
                const std::string& operator_name);

}  // namespace rocket::api
