#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/api_tokens.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// What a thief of a token can do to its owner and to others, before the token is revoked and afterwards.
namespace rocket::spec {
namespace {

class LeakedToken : public testing::Test {
 protected:
  std::string bearer(const std::string& user = kUser) { return make_bearer(database_, user); }
  void revoke(const std::string& bearer) {
    database_.execute("UPDATE api_tokens SET revoked_at = now() WHERE id = $1", {bearer.substr(10, 12)});
  }

  TestDatabase database_;
};

TEST_F(LeakedToken, SpendsNothingOfItsOwnersOnceItIsRevoked) {
  const ApiProcess api(
      database_,
      {{"API_REQUESTS_PER_S", "1"}, {"API_REQUEST_BURST", "5"}, {"API_TRUSTED_PROXIES", "127.0.0.1"}});
  const auto from = [](const std::string& address, const std::string& authorization) {
    return get_request("/account", authorization).with("X-Forwarded-For", address);
  };
  const std::string leaked = bearer();
  ASSERT_EQ(api.send(from("192.0.2.1", leaked)).status, 200);
  revoke(leaked);
  EXPECT_EQ(api.send(from("192.0.2.1", leaked)).status, 401);
  // From now on it is a stranger's, so it uses up what the address may do.
  EXPECT_TRUE(eventually([&] { return api.send(from("192.0.2.1", leaked)).status == 429; }));
  EXPECT_EQ(api.send(from("192.0.2.2", bearer())).status, 200);
}

// The first answer tells who the user is. Before it comes, the token alone must count, from wherever it is
// sent.
TEST_F(LeakedToken, TriesNoMoreCardsFromManyAddresses) {
  const Ledger ledger;
  const ApiProcess api(
      database_,
      {{"API_DECLINES_PER_H", "3"}, {"API_TRUSTED_PROXIES", "127.0.0.1"}, {"MOCK_LATENCY_MS", "700"}});
  const std::string token = bearer(kDeclinedUser);
  std::vector<int> statuses(12);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    clients.emplace_back([&, i] {
      const ClientRequest ride =
          ride_request(new_key(), token).with("X-Forwarded-For", "192.0.2." + std::to_string(i));
      statuses[i] = api.send(ride).status;
    });
  }
  for (std::thread& client : clients) client.join();
  const auto declined = std::count(statuses.begin(), statuses.end(), 402);
  EXPECT_GE(declined, 1);
  EXPECT_LE(declined, 3);
  EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 429), 12 - declined);
}

// Whoever is beyond a limit is told so only if the credentials are still valid.
TEST_F(LeakedToken, IsToldToBeRevokedAlsoBeyondALimit) {
  const ApiProcess api(database_, {{"API_KEYS_PER_DAY", "1"}});
  const std::string token = bearer();
  ASSERT_EQ(api.send(deposit_request(token, "1")).status, 201);
  ASSERT_EQ(api.send(deposit_request(token, "1")).code(), "too_many_keys");
  revoke(token);
  EXPECT_EQ(api.send(deposit_request(token, "1")).status, 401);
  EXPECT_EQ(api.send(ride_request(new_key(), token)).status, 401);
}

// New tokens of one user try no more cards than one token.
TEST_F(LeakedToken, IsNoNewChanceForItsUser) {
  const ApiProcess api(database_, {{"API_DECLINES_PER_H", "2"}});
  const std::string first = bearer(kDeclinedUser);
  EXPECT_EQ(api.send(ride_request(new_key(), first)).status, 402);
  EXPECT_EQ(api.send(ride_request(new_key(), first)).status, 402);
  EXPECT_EQ(api.send(ride_request(new_key(), bearer(kDeclinedUser))).code(), "too_many_declines");
}

}  // namespace
}  // namespace rocket::spec
