#pragma once

#include <optional>
#include <string>
#include <string_view>

// How callers prove who they are: by an API token or, where AUTH=email permits it, by an e-mail address.
namespace rocket::endpoints {

// Finds the user whose credential permits to change something; see idempotency::FlowDeclaration::owner.
inline constexpr const char* kWriterOfCredential =
    "SELECT user_id FROM credentials WHERE credential = asked.credential AND 'write' = ANY (scopes)";

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
