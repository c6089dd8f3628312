#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "rocket/endpoints/credentials.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// What operators can read about callers who were refused.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SecurityLogOfAnApi, SaysWhoWasRefusedAndTellsNoSecrets) {
  TestDatabase database;
  const std::string token = endpoints::make_api_token().text;
  const auto ours = endpoints::make_api_token();
  database.execute(
      "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes, revoked_at) "
      "SELECT $1, $2, id, 'lost', '{read}', now() FROM users WHERE email = $3",
      {ours.id, ours.hash, kDeclinedUser});
  ApiProcess api(database, {{"API_REQUESTS_PER_S", "1"}, {"API_REQUEST_BURST", "50"}});
  EXPECT_EQ(api.send(get_request("/account", "nobody@example.com")).status, 401);
  EXPECT_EQ(api.send(get_request("/account", "Bearer " + token)).status, 401);
  EXPECT_EQ(api.send(get_request("/account", "Bearer " + ours.text)).status, 401);
  // With whom nobody need be concerned.
  ClientRequest without = get_request("/account");
  without.headers.clear();
  EXPECT_EQ(api.send(without).status, 401);
  api.process().wait_for_line("refused user 2 from 127.0.0.1: credentials_invalid");
  // Its own user is known after the first request. Whatever is beyond the limit is told once a minute.
  EXPECT_TRUE(eventually([&] { return api.send(get_request("/account")).status == 429; }));
  api.process().wait_for_line("rate_limited");
  expect_good_end(api.process());
  const std::string told = api.process().output();
  EXPECT_THAT(told, HasSubstr("refused 127.0.0.1: credentials_invalid"));
  EXPECT_THAT(told, Not(HasSubstr("credentials_missing")));
  for (const std::string& secret :
       {token, token.substr(16), ours.text, ours.hash, std::string("nobody@example.com")}) {
    EXPECT_THAT(told, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace rocket::spec
