#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulator/database.h"

namespace rocket::simulator {

// The user on whose behalf a request is sent.
struct User {
  // An api may take it as credentials, so it must not be logged.
  std::string email;
  // The name of the user in logs.
  std::string label;
  // The value of the Authorization header.
  std::string authorization;
};

struct Users {
  // Never empty.
  std::vector<User> paying;
  User declined;
};

// The two users that schema.sql creates, who send their e-mail addresses.
Users standard_users();

// Returns `count` users of the simulator's own, each with a new API token, and creates those that do not
// exist. If count is 0, the paying user is the standard one. If told to stop before the database could be
// reached, it returns all users anyway, because nothing will be sent. Throws pg::StatementFailed.
Users create_users(Database& database, std::int64_t count);

}  // namespace rocket::simulator
