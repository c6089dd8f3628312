#include "simulator/users.h"

namespace rocket::simulator {
namespace {

constexpr pg::Statement kCreateUsers{"create_simulator_users", R"sql(
INSERT INTO users (email, stripe_customer_id)
SELECT 'simulator-' || n || '@example.com', 'cus_simulator_' || n FROM generate_series(1, $1::bigint) n
ON CONFLICT DO NOTHING
)sql"};

}  // namespace

Users standard_users() {
  return {{{"user@example.com", "user"}}, {"user-bad-source@example.com", "user-bad-source"}};
}

Users create_users(Database& database, std::int64_t count) {
  Users users = standard_users();
  if (count == 0) return users;
  database.run({kCreateUsers, {std::to_string(count)}});
  users.paying.clear();
  for (std::int64_t n = 1; n <= count; ++n) {
    const std::string label = "simulator-" + std::to_string(n);
    users.paying.push_back({label + "@example.com", label});
  }
  return users;
}

}  // namespace rocket::simulator
