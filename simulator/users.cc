#include "simulator/users.h"

#include <array>
#include <string>

#include "rocket/endpoints/credentials.h"

namespace rocket::simulator {
namespace {

constexpr pg::Statement kCreateUsers{"create_simulator_users", R"sql(
INSERT INTO users (email, stripe_customer_id)
SELECT 'simulator-' || n || '@example.com', 'cus_simulator_' || n FROM generate_series(1, $1::bigint) n
ON CONFLICT DO NOTHING
)sql"};

// Also removes what earlier simulators left behind.
constexpr pg::Statement kCreateTokens{"create_simulator_tokens", R"sql(
WITH unused AS (
  DELETE FROM api_tokens
   WHERE name = 'simulator' AND coalesce(last_used_at, created_at) < now() - interval '1 day'
)
INSERT INTO api_tokens (id, token_hash, user_id, name, scopes)
SELECT made.id, made.hash, users.id, 'simulator', '{read,write}'
  FROM unnest($1::text[], $2::text[], $3::text[]) AS made (id, hash, email) JOIN users USING (email)
ON CONFLICT DO NOTHING
)sql"};

// Gives each user an API token, which an api takes whether it takes e-mail addresses or not.
void sign_in(Database& database, Users& users) {
  std::vector<User*> all{&users.declined};
  for (User& user : users.paying) all.push_back(&user);
  std::array<std::string, 3> arrays;
  for (User* user : all) {
    const endpoints::ApiToken token = endpoints::make_api_token();
    user->authorization = "Bearer " + token.text;
    const std::array columns{token.id, token.hash, user->email};
    for (std::size_t i = 0; i < arrays.size(); ++i) arrays[i] += (arrays[i].empty() ? '{' : ',') + columns[i];
  }
  database.run({kCreateTokens, {arrays[0] + '}', arrays[1] + '}', arrays[2] + '}'}});
}

User user_named(const std::string& label) {
  const std::string email = label + "@example.com";
  return {email, label, email};
}

}  // namespace

Users standard_users() { return {{user_named("user")}, user_named("user-bad-source")}; }

Users create_users(Database& database, std::int64_t count) {
  Users users = standard_users();
  if (count > 0) {
    database.run({kCreateUsers, {std::to_string(count)}});
    users.paying.clear();
    for (std::int64_t n = 1; n <= count; ++n) {
      users.paying.push_back(user_named("simulator-" + std::to_string(n)));
    }
  }
  sign_in(database, users);
  return users;
}

}  // namespace rocket::simulator
