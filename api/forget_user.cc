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

// Whoever claims a key after this sees that the user's credentials are gone, and whoever claimed one before
// has committed it.
constexpr pg::Statement kStopClaims{"stop_claims", "LOCK TABLE idempotency_keys IN SHARE ROW EXCLUSIVE MODE"};

constexpr pg::Statement kFind{"find_user_to_forget", R"sql(
SELECT id, stripe_customer_id,
       (SELECT count(*) FROM idempotency_keys k WHERE k.user_id = users.id AND k.finished_at IS NULL) AS unfinished
  FROM users WHERE email = $1
   FOR UPDATE
)sql"};

// All that follow find the user by the address, so the user is the last thing to go.
constexpr pg::Statement kForgetTokens{"forget_api_tokens", R"sql(
DELETE FROM api_tokens WHERE user_id = (SELECT id FROM users WHERE email = $1)
)sql"};

constexpr pg::Statement kForgetHistory{"forget_history", R"sql(
DELETE FROM key_attempts USING idempotency_keys k
 WHERE k.id = key_attempts.key_id AND k.user_id = (SELECT id FROM users WHERE email = $1)
)sql"};

constexpr pg::Statement kForgetKeys{"forget_keys", R"sql(
DELETE FROM idempotency_keys WHERE user_id = (SELECT id FROM users WHERE email = $1)
)sql"};

constexpr pg::Statement kForgetPlaces{"forget_places", R"sql(
UPDATE rides SET origin_lat = 0, origin_lon = 0, target_lat = 0, target_lon = 0
 WHERE user_id = (SELECT id FROM users WHERE email = $1)
)sql"};

// What operators did, and from where, tells about the operators.
constexpr pg::Statement kForgetOrigins{"forget_origins", R"sql(
UPDATE audit_records SET origin_ip = CASE WHEN data ? 'operator' THEN origin_ip END,
                         data = CASE WHEN data ? 'operator' THEN data ELSE '{}' END
 WHERE user_id = (SELECT id FROM users WHERE email = $1)
)sql"};

constexpr pg::Statement kRecord{"record_forgetting", R"sql(
INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
SELECT 'forgotten', 'user', id, id, jsonb_build_object('operator', $2::text) FROM users WHERE email = $1
)sql"};

// Nobody else can have this address, by accident or on purpose.
constexpr pg::Statement kForgetUser{"forget_user", R"sql(
UPDATE users
   SET email = 'user-' || id || '-' || gen_random_uuid() || '@forgotten.invalid',
       stripe_customer_id = 'forgotten-' || id || '-' || gen_random_uuid(),
       disabled_at = coalesce(disabled_at, now())
 WHERE email = $1
)sql"};

// The transaction is rolled back.
struct NotNow : std::exception {
  explicit NotNow(std::string why) : reason(std::move(why)) {}
  std::string reason;
};

// Runs before the commit: without its customer's id, nobody could delete the customer at the payment
// provider.
void tell_whom(const pg::Result& found, const std::string& email) {
  if (found.empty()) throw NotNow("there is no user " + email);
  const std::int64_t unfinished = found.integer(0, "unfinished");
  if (unfinished > 0) {
    throw NotNow(
        email + " has unfinished requests: " + std::to_string(unfinished) +
        ". Disable the user, let the completer end them (see completer --list-parked), and try again");
  }
  std::cout << "about to forget user " << found.text(0, "id")
            << ", whom the payment provider knows as customer " << found.text(0, "stripe_customer_id")
            << std::endl;
  if (!std::cout) throw NotNow("nothing is forgotten, because the customer's id could not be printed");
}

}  // namespace

int forget_user(const pg::ConnectionOptions& database, const std::string& email,
                const std::string& operator_name) {
  process::EventLoop loop;
  pg::Session session(database);
  std::vector<pg::Query> queries{{kStopClaims, {}},         {kFind, {email}},
                                 {kForgetTokens, {email}},  {kForgetHistory, {email}},
                                 {kForgetKeys, {email}},    {kForgetPlaces, {email}},
                                 {kForgetOrigins, {email}}, {kRecord, {email, operator_name}},
                                 {kForgetUser, {email}}};
  try {
    loop.run(session.transact(std::move(queries),
                              [&](const std::vector<pg::Result>& results) { tell_whom(results[1], email); }));
  } catch (const NotNow& refused) {
    std::cerr << "api: " << refused.reason << '\n';
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "api: nothing is forgotten: " << error.what()
              << " (a larger DATABASE_TIMEOUT_MS gives it more time)\n";
    return 1;
  }
  std::cout << "forgotten\n";
  return 0;
}

}  // namespace rocket::api
