#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <thread>
#include <vector>

#include "rocket/endpoints/credentials.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// API tokens, from outside: by the commands of the api and over HTTP.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class TokenSpec : public testing::Test {
 protected:
  Finished command(const std::vector<std::string>& flags, Environment environment = {}) {
    environment["DATABASE_URL"] = database_.url();
    return run_to_end("api", environment, flags);
  }

  // Returns the Authorization header of a new token.
  std::string bearer(std::vector<std::string> more = {}) {
    std::vector<std::string> flags{"--create-token", kUser, "--name", "spec"};
    flags.insert(flags.end(), more.begin(), more.end());
    const Finished made = command(flags);
    EXPECT_EQ(made.exit.code, 0) << made.output;
    const auto token = made.output.find("rr_");
    return "Bearer " + made.output.substr(token, made.output.find('\n', token) - token);
  }

  static std::string id_of(const std::string& bearer) { return bearer.substr(10, 12); }

  static void expect_refused(const ApiProcess& api, const std::string& authorization, int status,
                             const std::string& code) {
    const std::vector<ClientRequest> requests{get_request("/account", authorization),
                                              get_request("/rides", authorization),
                                              get_request("/rides?limit=none", authorization),
                                              get_request("/idempotency-keys/" + new_key(), authorization),
                                              ride_request(new_key(), authorization),
                                              ride_request(new_key(), authorization, "origin_lat=x"),
                                              deposit_request(authorization, "5"),
                                              cancel_request("1", authorization)};
    for (const ClientRequest& request : requests) {
      const ClientResponse response = api.send(request);
      EXPECT_EQ(response.status, status) << request.method << ' ' << request.target;
      EXPECT_THAT(response.body, HasSubstr('"' + code + '"'));
      EXPECT_THAT(response.header("www-authenticate"), StartsWith("Bearer realm="));
    }
  }

  TestDatabase database_;
};

TEST_F(TokenSpec, IsShownOnceAndStoredAsAHash) {
  const std::string token = bearer().substr(7);
  EXPECT_EQ(database_.value("SELECT token_hash FROM api_tokens"), endpoints::hash_of_api_token(token));
  for (const auto& row : database_.rows("SELECT to_json(api_tokens)::text FROM api_tokens")) {
    EXPECT_THAT(row.at(0).value_or(""), Not(HasSubstr(token.substr(16))));
  }
  const Finished list = command({"--list-tokens", kUser});
  EXPECT_THAT(list.output,
              AllOf(HasSubstr(id_of("Bearer " + token)), HasSubstr("spec"), HasSubstr("read,write"),
                    HasSubstr("last used never"), HasSubstr("does not expire"), Not(HasSubstr(token))));
}

TEST_F(TokenSpec, ProvesWhoAsks) {
  const ApiProcess api(database_, {{"AUTH", "token"}});
  const std::string token = bearer();
  const std::string key = new_key();
  const ClientResponse ride = api.send(ride_request(key, token));
  ASSERT_EQ(ride.status, 201) << ride.body;
  // Another token of the same user, as when one replaces another.
  const ClientResponse again = api.send(ride_request(key, bearer()));
  EXPECT_EQ(again.body, ride.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(api.send(deposit_request(token, "5")).status, 201);
  EXPECT_EQ(api.send(get_request("/rides/1", token)).status, 200);
  EXPECT_EQ(api.send(cancel_request("1", token)).status, 200);
  EXPECT_EQ(database_.value("SELECT email FROM users JOIN rides ON user_id = users.id"), kUser);
  EXPECT_TRUE(eventually([&] { return database_.count("api_tokens", "last_used_at IS NOT NULL") == 2; }));
}

// One statement must not make two rows of one key.
TEST_F(TokenSpec, IsOneOfSeveralThatSendOneKeyAtOnce) {
  const ApiProcess api(database_, {{"AUTH", "token"}});
  const std::vector<std::string> tokens{bearer(), bearer(), bearer(), bearer()};
  for (int round = 0; round < 20; ++round) {
    const std::string key = new_key();
    std::vector<int> statuses(tokens.size());
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      clients.emplace_back([&, i] { statuses[i] = api.send(ride_request(key, tokens[i])).status; });
    }
    for (std::thread& client : clients) client.join();
    for (const int status : statuses) EXPECT_TRUE(status == 201 || status == 409) << status;
    EXPECT_EQ(database_.count("idempotency_keys", "idempotency_key = '" + key + "'"), 1);
  }
}

TEST_F(TokenSpec, PermitsWhatItsScopesSay) {
  const ApiProcess api(database_, {{"AUTH", "token"}});
  const std::string reader = bearer({"--scopes", "read"});
  EXPECT_EQ(api.send(get_request("/account", reader)).status, 200);
  for (const ClientRequest& request : {ride_request(new_key(), reader), deposit_request(reader, "5"),
                                       deposit_request(reader, "none"), cancel_request("1", reader)}) {
    const ClientResponse response = api.send(request);
    EXPECT_EQ(response.status, 403);
    EXPECT_THAT(response.body, HasSubstr("\"insufficient_scope\""));
    EXPECT_THAT(response.header("www-authenticate"),
                HasSubstr("error=\"insufficient_scope\", scope=\"write\""));
  }
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
  const std::string writer = bearer({"--scopes", "write"});
  EXPECT_EQ(api.send(deposit_request(writer, "5")).status, 201);
  EXPECT_EQ(api.send(get_request("/account", writer)).status, 403);
  expect_refused(api, bearer({"--scopes", "operate"}), 403, "insufficient_scope");
}

TEST_F(TokenSpec, PermitsToSeeEverybodysRequestsOnlyToOperators) {
  const std::string reader = bearer({"--scopes", "read,write"});
  const std::string of_operator = bearer({"--scopes", "operate"});
  const auto status = [](const ApiProcess& api, const std::string& authorization) {
    return api.send(get_request("/ops/board", authorization)).status;
  };
  const ApiProcess by_token(database_, {{"AUTH", "token"}});
  EXPECT_EQ(by_token.send({"GET", "/ops/board", {}, ""}).status, 401);
  EXPECT_EQ(status(by_token, kUser), 401);
  EXPECT_EQ(status(by_token, reader), 403);
  EXPECT_EQ(status(by_token, of_operator), 200);
  // On a developer's machine, everybody is an operator.
  const ApiProcess by_email(database_);
  EXPECT_EQ(status(by_email, kUser), 200);
  EXPECT_EQ(status(by_email, reader), 403);
  Environment in_public = kInPublic;
  in_public["LAB"] = "on";
  const ApiProcess open(database_, in_public);
  EXPECT_EQ(status(open, kUser), 403);
  EXPECT_EQ(status(open, of_operator), 200);
}

TEST_F(TokenSpec, EndsAtOnceInEveryProcess) {
  const ApiProcess one(database_, {{"AUTH", "token"}});
  const ApiProcess other(database_, {{"AUTH", "email"}});
  const std::string revoked = bearer();
  const std::string expired = bearer({"--expires-in", "90d"});
  const std::string disabled = bearer();
  for (const ApiProcess* api : {&one, &other}) {
    for (const std::string& each : {revoked, expired, disabled}) {
      ASSERT_EQ(api->send(get_request("/account", each)).status, 200);
    }
  }
  ASSERT_EQ(command({"--revoke-token", id_of(revoked)}).exit.code, 0);
  EXPECT_EQ(command({"--revoke-token", id_of(revoked)}).exit.code, 0) << "twice is as good as once";
  database_.execute("UPDATE api_tokens SET expires_at = now() WHERE id = $1", {id_of(expired)});
  for (const ApiProcess* api : {&one, &other}) {
    expect_refused(*api, revoked, 401, "credentials_invalid");
    expect_refused(*api, expired, 401, "credentials_invalid");
    EXPECT_EQ(api->send(get_request("/account", disabled)).status, 200);
  }
  ASSERT_EQ(command({"--disable-user", kUser}).exit.code, 0);
  for (const ApiProcess* api : {&one, &other}) expect_refused(*api, disabled, 401, "credentials_invalid");
  EXPECT_EQ(other.send(get_request("/account", kUser)).status, 401) << "an address is no way around it";
  EXPECT_EQ(command({"--create-token", kUser, "--name", "new"}).exit.code, 1);
  ASSERT_EQ(command({"--enable-user", kUser}).exit.code, 0);
  EXPECT_EQ(other.send(get_request("/account", kUser)).status, 200);
  expect_refused(one, disabled, 401, "credentials_invalid");
  EXPECT_EQ(one.send(get_request("/account", bearer())).status, 200);
  EXPECT_EQ(database_.count("audit_records", "data->>'operator' IS NOT NULL AND action = 'token_revoked'"),
            1);
}

// What is under way may end.
TEST_F(TokenSpec, MayBeRevokedInTheMiddleOfARequest) {
  const std::string token = bearer();
  const PaymentProvider provider;
  provider.answer_after(1500);
  Environment environment = provider.environment();
  environment["AUTH"] = "token";
  const ApiProcess api(database_, environment);
  ClientResponse ride;
  std::thread client([&] { ride = api.send(ride_request(new_key(), token)); });
  EXPECT_TRUE(eventually([&] { return provider.attempts() == 1; }));
  EXPECT_EQ(command({"--revoke-token", id_of(token)}).exit.code, 0);
  client.join();
  EXPECT_EQ(ride.status, 201) << ride.body;
  EXPECT_EQ(api.send(ride_request(new_key(), token)).status, 401);
}

TEST_F(TokenSpec, IsNoUseWhenItIsNotWhole) {
  const ApiProcess api(database_, {{"AUTH", "token"}});
  const std::string token = bearer();
  std::string lower = token;
  std::transform(lower.begin() + 7, lower.end(), lower.begin() + 7,
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string of_another_database = "Bearer " + endpoints::make_api_token().text;
  const std::string hash = database_.value("SELECT token_hash FROM api_tokens");
  for (const std::string& wrong :
       {token.substr(0, 60), token + token.substr(7), lower, token.substr(7), hash, "Bearer " + hash,
        of_another_database, std::string("Basic dXNlcjpwYXNz"), std::string(kUser)}) {
    expect_refused(api, wrong, 401, "credentials_invalid");
  }
  ClientRequest twice = get_request("/account", token);
  twice.headers.emplace_back("Authorization", token);
  EXPECT_EQ(api.send(twice).status, 401);
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(TokenSpec, IsOneOfTenThousand) {
  const ApiProcess api(database_, {{"AUTH", "token"}});
  const std::string token = bearer();
  database_.execute(
      "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes) "
      "SELECT lpad(n::text, 12, '0'), encode(sha256(n::text::bytea), 'hex'), users.id, 'one of many', "
      "'{read}' "
      "FROM users, generate_series(1, 10000) n WHERE email = $1",
      {kUser});
  EXPECT_EQ(api.send(ride_request(new_key(), token)).status, 201);
  EXPECT_THAT(command({"--list-tokens", kUser}).output, HasSubstr("10001 tokens"));
}

TEST_F(TokenSpec, IsNotMadeByABadCommand) {
  const std::vector<std::vector<std::string>> mistakes{
      {"--create-token", kUser},
      {"--create-token", kUser, "--name", ""},
      {"--create-token", kUser, "--name", std::string(101, 'x')},
      {"--create-token", kUser, "--name", "x\n0123456789ab  another"},
      {"--create-token", kUser, "--name", "x\x1b[2J"},
      {"--create-token", kUser, "--name", "x\xc2\x9b"},
      {"--create-token", kUser, "--name", "x\xff"},
      {"--create-token", kUser, "--name", "x", "--scopes", "all"},
      {"--create-token", kUser, "--name", "x", "--scopes", "read,all"},
      {"--create-token", kUser, "--name", "x", "--expires-in", "0d"},
      {"--create-token", kUser, "--name", "x", "--expires-in", "1 week"},
      {"--create-token", kUser, "--name", "x", "--expires-in", "9223372036854775807d"},
      {"--create-token", kUser, "--name", "x", "--list-tokens", kUser},
      {"--name", "x"},
      {"--create-user", "two words@example.com"},
      {"--create-user", "@"},
      {"--create-user", "a@b,c@d"}};
  for (const auto& flags : mistakes) EXPECT_EQ(command(flags).exit.code, 2) << flags.back();
  for (const char* flag : {"--create-token", "--list-tokens", "--disable-user", "--enable-user"}) {
    std::vector<std::string> flags{flag, "nobody@example.com"};
    if (flags[0] == "--create-token") flags.insert(flags.end(), {"--name", "x"});
    const Finished refused = command(flags);
    EXPECT_EQ(refused.exit.code, 1) << flag;
    EXPECT_THAT(refused.output, HasSubstr("there is no user nobody@example.com"));
  }
  EXPECT_EQ(command({"--revoke-token", "nothing"}).exit.code, 1);
  EXPECT_EQ(database_.count("api_tokens"), 0);
}

TEST_F(TokenSpec, IsForAUserWhomACommandMade) {
  const Finished made = command({"--create-user", "new@example.com"});
  ASSERT_EQ(made.exit.code, 0) << made.output;
  EXPECT_EQ(command({"--create-user", "new@example.com"}).exit.code, 1);
  EXPECT_EQ(database_.count("audit_records", "action = 'created' AND resource_type = 'user'"), 1);
  const ApiProcess api(database_);
  EXPECT_EQ(api.send(ride_request(new_key(), "new@example.com")).status, 201);
}

TEST_F(TokenSpec, IsForAUserWithACustomerAtStripe) {
  const PaymentProvider provider;
  const std::vector<std::string> flags{"--create-user", "new@example.com"};
  Environment wrong_key = provider.environment();
  wrong_key["STRIPE_API_KEY"] = "sk_of_somebody_else";
  EXPECT_EQ(command(flags, wrong_key).exit.code, 1);
  EXPECT_EQ(database_.count("users", "email = 'new@example.com'"), 0);

  ASSERT_EQ(command(flags, provider.environment()).exit.code, 0);
  const std::string customer =
      database_.value("SELECT stripe_customer_id FROM users WHERE email = 'new@example.com'");
  EXPECT_THAT(customer, StartsWith("cus_"));
  EXPECT_THAT(customer, Not(StartsWith("cus_mock")));
  // Another database with the same account at Stripe, or a command that was killed before it wrote.
  database_.execute("DELETE FROM audit_records");
  database_.execute("DELETE FROM users WHERE email = 'new@example.com'");
  ASSERT_EQ(command(flags, provider.environment()).exit.code, 0);
  EXPECT_EQ(database_.value("SELECT stripe_customer_id FROM users WHERE email = 'new@example.com'"),
            customer);
}

}  // namespace
}  // namespace rocket::spec
