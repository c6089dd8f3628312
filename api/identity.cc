#include "api/identity.h"

#include <string_view>
#include <utility>

#include "api/credentials.h"
#include "api/queries.h"
#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"

namespace rocket::api {
namespace {

constexpr pg::Statement kFindFault{"find_fault_of_credentials", R"sql(
SELECT CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
            WHEN expires_at <= now() THEN 'expired'
            WHEN $2 = ANY (scopes) THEN 'valid'
            ELSE 'insufficient_scope' END AS fault, user_id
  FROM api_tokens WHERE token_hash = $1
UNION ALL
SELECT CASE WHEN disabled_at IS NOT NULL THEN 'disabled'
            WHEN $2 IN ('read', 'write') THEN 'valid'
            ELSE 'insufficient_scope' END, id
  FROM users WHERE email = $1
)sql"};

// Many requests at once may use one token, so the row is written only once an hour.
constexpr auto kIdentifySql = joined(R"sql(
WITH used AS (
  UPDATE api_tokens SET last_used_at = now()
   WHERE id IN (SELECT id FROM api_tokens
                 WHERE token_hash = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 hour')
                   -- Whoever holds it writes the same time.
                   FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT known.user_id FROM (SELECT $1::text AS credential) asked, LATERAL ()sql",
                                     endpoints::kAnyUserOfCredential, R"sql() known (user_id)
 WHERE known.user_id IS NOT NULL
)sql");
constexpr pg::Statement kIdentify{"identify_user", kIdentifySql.data()};

Failure failure_of(std::string_view fault, const std::string& credentials, const std::string& scope) {
  if (fault == "revoked") return invalid_token("This API token was revoked.");
  if (fault == "expired") return invalid_token("This API token has expired.");
  if (fault == "insufficient_scope") return insufficient_scope(scope);
  return unknown_user(credentials);
}

}  // namespace

asio::awaitable<std::optional<Failure>> find_fault(pg::Lane& lane, std::string credentials, std::string scope,
                                                   std::string caller, SharedRequestIds ids) {
  pg::Query query(kFindFault, pg::Params{credentials, scope});
  const pg::Result result = co_await run(lane, std::move(query), std::move(caller), std::move(ids));
  if (result.empty()) co_return unknown_user(credentials);
  const std::string_view fault = result.text(0, "fault");
  if (fault == "valid") co_return std::nullopt;
  Failure failure = failure_of(fault, credentials, scope);
  failure.refused_user = result.text(0, "user_id");
  co_return failure;
}

asio::awaitable<std::optional<std::string>> identify(pg::Lane& lane, std::string credentials,
                                                     SharedRequestIds ids) {
  pg::Query query(kIdentify, pg::Params{std::move(credentials)});
  const pg::Result result = co_await run(lane, std::move(query), {}, std::move(ids));
  if (result.empty()) co_return std::nullopt;
  co_return std::string(result.text(0, "user_id"));
}

std::vector<pg::Statement> identity_statements() { return {kFindFault, kIdentify}; }

}  // namespace rocket::api
