#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulator/database.h"

namespace rocket::simulator {

// Whom requests are sent as.
struct User {
  // What the api takes as credentials: not for logs.
  std::string email;
  // What logs call the user.
  std::string label;
};

struct Users {
  // Never empty.
  std::vector<User> paying;
  User declined;
};

// The two that schema.sql creates.
Users standard_users();

// `count` users of the simulator's own, created unless they exist; the standard one pays when count is 0.
// Told to stop before the database could be reached, it returns them all the same: nothing will be sent.
// Throws pg::StatementFailed.
Users create_users(Database& database, std::int64_t count);

}  // namespace rocket::simulator
