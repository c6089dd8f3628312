#include "api/user_commands.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/forget_user.h"
#include "rocket/base/ids.h"
#include "rocket/base/settings.h"
#include "rocket/base/text.h"
#include "rocket/endpoints/credentials.h"
#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"
#include "rocket/process/operator_name.h"

namespace rocket::api {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestLife{10LL * 366 * 86400};
constexpr std::size_t kMaxNameLength = 100;

constexpr pg::Statement kUserExists{"user_exists", "SELECT 1 FROM users WHERE email = $1"};

constexpr pg::Statement kCreateUser{"create_user", R"sql(
WITH changed AS (
  INSERT INTO users (email, stripe_customer_id) VALUES ($1, $2) ON CONFLICT (email) DO NOTHING RETURNING id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
  SELECT 'created', 'user', id, id, jsonb_build_object('operator', $3::text) FROM changed
)
SELECT id FROM changed
)sql"};

// The lock makes it wait for a change of the user that is under way, so that no disabled user gets a token.
constexpr pg::Statement kCreateToken{"create_api_token", R"sql(
WITH owner AS (
  SELECT id FROM users WHERE email = $1 AND disabled_at IS NULL FOR NO KEY UPDATE
), changed AS (
  INSERT INTO api_tokens (id, token_hash, user_id, name, scopes, expires_at)
  SELECT $2, $3, id, $4, string_to_array($5, ','), now() + make_interval(secs => $6::bigint) FROM owner
  RETURNING user_id, expires_at
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
  SELECT 'token_created', 'user', user_id, user_id,
         jsonb_build_object('operator', $7::text, 'token', $2::text, 'scopes', $5::text) FROM changed
)
SELECT coalesce('expires ' || expires_at, 'does not expire') AS life FROM changed
)sql"};

constexpr pg::Statement kListTokens{"list_api_tokens", R"sql(
SELECT t.id, t.name, array_to_string(t.scopes, ',') AS scopes, t.created_at,
       coalesce(t.last_used_at::text, 'never') AS last_used,
       CASE WHEN t.revoked_at IS NOT NULL THEN 'revoked ' || t.revoked_at
            WHEN t.expires_at <= now() THEN 'expired ' || t.expires_at
            WHEN t.expires_at IS NULL THEN 'does not expire'
            ELSE 'expires ' || t.expires_at END AS life
  FROM api_tokens t JOIN users ON users.id = t.user_id
 WHERE users.email = $1
 ORDER BY t.created_at, t.id
)sql"};

constexpr pg::Statement kRevokeToken{"revoke_api_token", R"sql(
WITH changed AS (
  UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id, user_id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
  SELECT 'token_revoked', 'user', user_id, user_id, jsonb_build_object('operator', $2::text, 'token', id)
    FROM changed
)
SELECT 1 FROM api_tokens WHERE id = $1
)sql"};

constexpr pg::Statement kDisableUser{"disable_user", R"sql(
WITH changed AS (
  UPDATE users SET disabled_at = now() WHERE email = $1 AND disabled_at IS NULL RETURNING id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
  SELECT 'disabled', 'user', id, id, jsonb_build_object('operator', $2::text) FROM changed
)
SELECT 1 FROM users WHERE email = $1
)sql"};

// A statement of its own behind the one above, so that it sees the tokens that were made while that one
// waited.
constexpr pg::Statement kRevokeAll{"revoke_api_tokens_of_user", R"sql(
UPDATE api_tokens SET revoked_at = now()
 WHERE user_id = (SELECT id FROM users WHERE email = $1) AND revoked_at IS NULL
)sql"};

constexpr pg::Statement kEnableUser{"enable_user", R"sql(
WITH changed AS (
  UPDATE users SET disabled_at = NULL WHERE email = $1 AND disabled_at IS NOT NULL RETURNING id
), audit AS (
  INSERT INTO audit_records (action, resource_type, resource_id, user_id, data)
  SELECT 'enabled', 'user', id, id, jsonb_build_object('operator', $2::text) FROM changed
)
SELECT 1 FROM users WHERE email = $1
)sql"};

bool is_email(std::string_view text) {
  const bool is_printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  const auto at = text.find('@');
  const bool has_two_parts =
      at != std::string_view::npos && at > 0 && at + 1 < text.size() && at == text.rfind('@');
  return is_printable && has_two_parts && text.size() <= 255;
}

// 90d, 12h, 30m or 45s. Returns nullopt if it is no such time, or none that a token may live.
std::optional<seconds> time_of(std::string_view text) {
  constexpr std::array<std::pair<char, std::int64_t>, 4> kUnits{
      {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
  if (text.empty()) return std::nullopt;
  const auto number = number_of<std::int64_t>(text.substr(0, text.size() - 1));
  for (const auto& [unit, length] : kUnits) {
    if (text.back() != unit || !number || *number < 1 || *number > kLongestLife.count() / length) continue;
    return seconds(*number * length);
  }
  return std::nullopt;
}

bool are_scopes(std::string_view list) {
  while (true) {
    const auto comma = list.find(',');
    const std::string_view scope = list.substr(0, comma);
    if (scope != "read" && scope != "write" && scope != "operate") return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

// The id in a whole token, else the text itself.
std::string token_id(const std::string& text) {
  return endpoints::looks_like_api_token(text) ? text.substr(3, text.find('_', 3) - 3) : text;
}

int fail(const std::string& sentence) {
  std::cerr << "api: " << sentence << '\n';
  return 1;
}

int no_such_user(const std::string& email) { return fail("there is no user " + email); }

// A connection for one command.
class Database {
 public:
  explicit Database(const pg::ConnectionOptions& options) : session_(options) {}

  pg::Result run(const pg::Statement& statement, pg::Params params) {
    return loop_.run(session_.run({statement, std::move(params)}));
  }
  std::vector<pg::Result> transact(std::vector<pg::Query> queries) {
    return loop_.run(session_.transact(std::move(queries), [](const std::vector<pg::Result>&) {}));
  }
  process::EventLoop& loop() { return loop_; }

 private:
  process::EventLoop loop_;
  pg::Session session_;
};

int create_user(Database& database, const payments::ProviderOptions& provider, const std::string& email) {
  const std::string exists = "there is a user " + email + " already";
  if (!database.run(kUserExists, {email}).empty()) return fail(exists);
  std::string customer = "cus_mock_" + random_uuid();
  if (provider.gateway == "stripe") {
    payments::StripeGateway stripe(provider.stripe);
    auto made = database.loop().run(stripe.customer(email));
    if (const auto* none = std::get_if<payments::NoAnswer>(&made)) {
      return fail("there is no customer for " + email + ": " + none->reason);
    }
    customer = std::get<std::string>(std::move(made));
  }
  const pg::Result user = database.run(kCreateUser, {email, customer, process::operator_name()});
  if (user.empty()) return fail(exists);
  std::cout << "created user " << user.text(0, "id") << ", " << email << ", customer " << customer << '\n';
  return 0;
}

int list_tokens(Database& database, const std::string& email) {
  if (database.run(kUserExists, {email}).empty()) return no_such_user(email);
  const pg::Result tokens = database.run(kListTokens, {email});
  for (int row = 0; row < tokens.rows(); ++row) {
    const auto text = [&](const char* column) { return tokens.text(row, column); };
    std::cout << text("id") << "  " << printable(text("name")) << "\n    " << text("scopes") << ", created "
              << text("created_at") << ", last used " << text("last_used") << ", " << text("life") << '\n';
  }
  std::cout << tokens.rows() << (tokens.rows() == 1 ? " token\n" : " tokens\n");
  return 0;
}

int revoke_token(Database& database, const std::string& id) {
  if (database.run(kRevokeToken, {id, process::operator_name()}).empty())
    return fail("there is no token with this id");
  std::cout << "revoked " << id << '\n';
  return 0;
}

int disable_user(Database& database, const std::string& email) {
  const auto results =
      database.transact({{kDisableUser, {email, process::operator_name()}}, {kRevokeAll, {email}}});
  if (results.front().empty()) return no_such_user(email);
  const auto revoked = results.back().affected();
  std::cout << "disabled " << email << " and revoked " << revoked
            << (revoked == 1 ? " token\n" : " tokens\n");
  return 0;
}

int enable_user(Database& database, const std::string& email) {
  if (database.run(kEnableUser, {email, process::operator_name()}).empty()) return no_such_user(email);
  std::cout << "enabled " << email << ", whose tokens stay revoked\n";
  return 0;
}

}  // namespace

void UserCommands::add_to(Settings& settings) {
  settings.add("create-user", {}, "make a user with this e-mail address, and exit", create_user);
  settings.add("disable-user", {}, "refuse this user, revoke all their tokens, and exit", disable_user);
  settings.add("enable-user", {}, "take this user again, whose tokens stay revoked, and exit", enable_user);
  settings.add("forget-user", {}, "remove what tells about this person, and exit", forget_user);
  settings.add("create-token", {}, "make an API token for this user, print it, and exit", create_token);
  settings.add("name", {}, "what the new token is for", name);
  settings.add("scopes", {}, "what the new token permits: read, write, operate, with commas", scopes);
  settings.add("expires-in", {}, "how long the new token is valid, such as 90d, 12h, 30m", expires_in);
  settings.add("list-tokens", {}, "print this user's tokens, and exit", list_tokens);
  settings.add("revoke-token", {}, "end the token with this id at once, and exit", revoke_token);
  settings.require([this]() -> std::optional<std::string> {
    const std::array emails{&create_user, &disable_user, &enable_user,
                            &forget_user, &create_token, &list_tokens};
    auto commands = std::count_if(emails.begin(), emails.end(), [](auto* each) { return !each->empty(); });
    if (!revoke_token.empty()) ++commands;
    if (commands > 1) return "one command about users at a time";
    // Users who are there already may have been made otherwise.
    if (create_user.empty() || is_email(create_user)) return std::nullopt;
    return "an e-mail address has one @ with something on both sides, and no spaces";
  });
  settings.require([this]() -> std::optional<std::string> {
    if (create_token.empty()) {
      if (name.empty() && expires_in.empty()) return std::nullopt;
      return "--name and --expires-in belong to --create-token";
    }
    if (name.empty() || name.size() > kMaxNameLength || printable(name) != name) {
      return "--create-token needs a --name of 1 to 100 bytes, none of them a control character";
    }
    if (!are_scopes(scopes)) return "--scopes must be some of read, write, operate, with commas";
    if (!expires_in.empty() && !time_of(expires_in)) {
      return "--expires-in must be a time of at most ten years, such as 90d, 12h, 30m, 45s";
    }
    return std::nullopt;
  });
}

bool UserCommands::is_asked() const {
  return !create_user.empty() || !disable_user.empty() || !enable_user.empty() || !forget_user.empty() ||
         !create_token.empty() || !list_tokens.empty() || !revoke_token.empty();
}

int UserCommands::run(const pg::ConnectionOptions& options, const payments::ProviderOptions& provider) const {
  if (!forget_user.empty()) return api::forget_user(options, forget_user, process::operator_name());
  Database database(options);
  if (!create_user.empty()) return api::create_user(database, provider, create_user);
  if (!disable_user.empty()) return api::disable_user(database, disable_user);
  if (!enable_user.empty()) return api::enable_user(database, enable_user);
  if (!list_tokens.empty()) return api::list_tokens(database, list_tokens);
  if (!revoke_token.empty()) return api::revoke_token(database, token_id(revoke_token));

  const endpoints::ApiToken token = endpoints::make_api_token();
  std::optional<std::string> life;
  if (const auto time = time_of(expires_in)) life = std::to_string(time->count());
  const pg::Result made = database.run(
      kCreateToken, {create_token, token.id, token.hash, name, scopes, life, process::operator_name()});
  if (made.empty()) return fail("there is no user " + create_token + " who may have a token");
  // Only the token goes to standard output, so that a script can take it from there.
  std::cerr << "api: token " << token.id << " of " << create_token << " permits " << scopes << " and "
            << made.text(0, "life") << "; it is not shown again\n";
  std::cout << token.text << '\n';
  return 0;
}

}  // namespace rocket::api
