#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "rocket/base/text.h"

// How callers prove who they are: by an API token or, where AUTH=email permits it, by an e-mail address.
namespace rocket::endpoints {

// Returns the SELECT of the user whose valid credential `asked.credential` is; NULL if it is nobody's. The
// condition is about api_tokens. An e-mail address has an @, and the hash of a token has none, so neither is
// taken for the other. Subqueries leave the planner nothing but the two indexes.
template <std::size_t size>
constexpr auto user_of_credential(const char (&condition)[size]) {
  return joined(R"sql(
SELECT CASE WHEN strpos(asked.credential, '@') > 0
            THEN (SELECT id FROM users WHERE email = asked.credential AND disabled_at IS NULL)
            ELSE (SELECT user_id FROM api_tokens
                   WHERE token_hash = asked.credential AND revoked_at IS NULL
                     AND (expires_at IS NULL OR expires_at > now()) AND )sql",
                condition, ") END");
}

// These find a user who may read, one who may change something, and one who may do anything.
inline constexpr auto kReaderOfCredential = user_of_credential("'read' = ANY (scopes)");
inline constexpr auto kWriterOfCredential = user_of_credential("'write' = ANY (scopes)");
inline constexpr auto kAnyUserOfCredential = user_of_credential("true");

// An API token: rr_ID_SECRETCHECK, all letters and digits of ASCII. ID has 12 characters and is no secret.
// SECRET has 43, which is 256 bits of randomness. CHECK has 6 and follows from the rest, so a mistyped token
// is noticed without asking the database, and scanners that look for lost secrets can tell it from other
// text.
struct ApiToken {
  std::string text;
  std::string id;
  // The column api_tokens.token_hash.
  std::string hash;
};

// A new token, which nobody else has. Thread safe. Throws std::system_error when the kernel has no entropy to
// give.
ApiToken make_api_token();

// The hash of a token, 64 hexadecimal digits (SHA-256). Returns nullopt if the text cannot be a token.
std::optional<std::string> hash_of_api_token(std::string_view text);

// True if the text begins as tokens do. It may be cut or mistyped.
bool looks_like_api_token(std::string_view text);

}  // namespace rocket::endpoints
