#include "spec/support/api_tokens.h"

#include "rocket/endpoints/credentials.h"

namespace rocket::spec {

std::string make_bearer(TestDatabase& database, const std::string& user, const std::string& scopes) {
  const endpoints::ApiToken token = endpoints::make_api_token();
  database.execute(
      "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes) "
      "SELECT $1, $2, id, 'spec', $4::text[] FROM users WHERE email = $3",
      {token.id, token.hash, user, scopes});
  return "Bearer " + token.text;
}

}  // namespace rocket::spec
