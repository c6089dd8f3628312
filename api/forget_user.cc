#include "api/forget_user.h"

#include <cstdint>
#include <exception>
#include <iostream>
#include <utility>
#include <vector>

#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"

namespace rocket::api {
namespace {

// Whoever claims a key after this sees that the user is disabled, and whoever claimed one before has
// committed it.
constexpr pg::Statement kStopClaims{"stop_claims", "LOCK TABLE idempotency_keys IN SHARE ROW EXCLUSIVE MODE"};

constexpr pg::Statement kDisable{"disable_user_to_forget", R"sql(
UPDATE users SET disabled_at = coalesce(disabled_at, now()) WHERE email = $1
RETURNING id, stripe_customer_id
)sql"};

constexpr pg::Statement kCountUnfinished{"count_unfinished_keys", R"sql(
SELECT count(*) AS keys FROM idempotency_keys
 WHERE user_id = (SELECT id FROM users WHERE email = $1) AND finished_at IS NULL
)sql"};

constexpr pg::Statement kForgetTokens{"forget_api_tokens", "DELETE FROM api_tokens WHERE user_id = $1"};

constexpr pg::Statement kForgetKeys{"forget_keys", "DELETE FROM idempotency_keys WHERE user_id = $1"};

constexpr pg::Statement kForgetPlaces{"forget_places", R"sql(
UPDATE rides SET origin_lat = 0, origin_lon = 0, target_lat = 0, target_lon = 0 WHERE user_id = $1
)sql"};

constexpr pg::Statement kForgetOrigins{"forget_origins", R"sql(
UPDATE audit_records SET origin_ip = NULL, data = '{}' WHERE user_id = $1
)sql"};

constexpr pg::Statement kRecord{"record_forgetting", R"sql(
INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
VALUES ('forgotten', 'user', $1::bigint, $1::bigint, jsonb_build_object('operator', $2::text))
)sql"};

// The last one, because the user is found by it.
constexpr pg::Statement kForgetUser{"forget_user", R"sql(
UPDATE users SET email = 'user-' || id || '@forgotten.invalid', stripe_customer_id = 'forgotten_' || id WHERE id = $1
)sql"};

// The first transaction is rolled back.
struct NotNow : std::exception {
  explicit NotNow(std::string why) : reason(std::move(why)) {}
  std::string reason;
};

}  // namespace

int forget_user(const pg::ConnectionOptions& database, const std::string& email,
                const std::string& operator_name) {
  process::EventLoop loop;
  pg::Session session(database);
  std::vector<pg::Result> found;
  try {
    std::vector<pg::Query> queries{{kStopClaims, {}}, {kDisable, {email}}, {kCountUnfinished, {email}}};
    found = loop.run(session.transact(std::move(queries), [&](const std::vector<pg::Result>& results) {
      if (results[1].empty()) throw NotNow("there is no user " + email);
      const std::int64_t keys = results[2].integer(0, "keys");
      if (keys == 0) return;
      throw NotNow(
          email + " has unfinished requests: " + std::to_string(keys) +
          ". Disable the user, let the completer end them (see completer --list-parked), and try again");
    }));
  } catch (const NotNow& refused) {
    std::cerr << "api: " << refused.reason << '\n';
    return 1;
  }
  const std::string id(found[1].text(0, "id"));
  const std::string customer(found[1].text(0, "stripe_customer_id"));
  std::vector<pg::Query> queries{{kForgetTokens, {id}},          {kForgetKeys, {id}},
                                 {kForgetPlaces, {id}},          {kForgetOrigins, {id}},
                                 {kRecord, {id, operator_name}}, {kForgetUser, {id}}};
  loop.run(session.transact(std::move(queries), [](const std::vector<pg::Result>&) {}));
  std::cout << "forgot user " << id << "; the payment provider still knows the customer " << customer << '\n';
  return 0;
}

}  // namespace rocket::api
