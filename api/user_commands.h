#pragma once

#include <chrono>
#include <string>

#include "rocket/payments/provider.h"
#include "rocket/pg/connection.h"

namespace rocket {
class Settings;
}

namespace rocket::api {

// The commands of operators about users and their API tokens. At most one is asked for. Each that changes
// something leaves an audit record with the name of whoever ran it.
struct UserCommands {
  // The e-mail address of a user, or empty.
  std::string create_user;
  std::string disable_user;
  std::string enable_user;
  std::string forget_user;
  std::string create_token;
  std::string list_tokens;
  // The id of a token, or the token itself.
  std::string revoke_token;

  // For --create-token.
  std::string name;
  std::string scopes = "read,write";
  std::string expires_in;

  void add_to(Settings& settings);
  bool is_asked() const;
  // Prints the result to standard output and returns the exit status. Throws what pg::Session throws.
  int run(const pg::ConnectionOptions& database, const payments::ProviderOptions& provider) const;
};

}  // namespace rocket::api
