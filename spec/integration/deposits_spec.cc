#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/integration/queries_fixture.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"

// POST /deposits, and the account that they fill.
namespace rocket::spec {
namespace {

using DepositsSpec = QueriesSpec;

TEST_F(DepositsSpec, AnswerWithAmountAndBalance) {
  const auto response = send(deposit_request(kUser, "1250"));
  ASSERT_EQ(response.status, 201) << response.body;
  const auto body = json::parse(response.body);
  EXPECT_TRUE(body.at("message").is_string());
  EXPECT_EQ(body.at("deposit").at("amount"), 1250);
  EXPECT_EQ(body.at("deposit").at("balance"), 1250);
  EXPECT_EQ(database_.count("deposits"), 1);
  EXPECT_EQ(database_.count("audit_records", "resource_type = 'deposit'"), 1);
}

TEST_F(DepositsSpec, WithoutAKeySendingTwiceDepositsTwice) {
  EXPECT_EQ(send(deposit_request(kUser, "5")).status, 201);
  const auto second = send(deposit_request(kUser, "5"));
  EXPECT_EQ(second.status, 201);
  EXPECT_EQ(second.count("idempotent-replayed"), 0U);
  EXPECT_EQ(get("/account").at("balance"), 10);
}

TEST_F(DepositsSpec, WithAKeyItDepositsOnce) {
  const auto request = deposit_request(kUser, "5").with("Idempotency-Key", key_);
  const auto first = send(request);
  ASSERT_EQ(first.status, 201);
  ASSERT_EQ(send(deposit_request(kUser, "7")).status, 201);
  const auto again = send(request);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(get("/account").at("balance"), 12);
  expect_failure(send(deposit_request(kUser, "6").with("Idempotency-Key", key_)), 409,
                 "idempotency_key_reused");
}

TEST_F(DepositsSpec, TakeOneTo100000WholeDollars) {
  EXPECT_EQ(send(deposit_request(kUser, "1")).status, 201);
  EXPECT_EQ(send(deposit_request(kUser, "100000")).status, 201);
  for (const char* amount : {"0", "-1", "100001", "1.5", "1_0", "0x10", "ten", "", "1e3"}) {
    expect_failure(send(deposit_request(kUser, amount)), 422, "parameter_invalid");
  }
  ClientRequest nothing = deposit_request(kUser, "1");
  nothing.body = "other=1";
  expect_failure(send(nothing), 422, "parameter_missing");
  EXPECT_EQ(database_.count("deposits"), 2);
  EXPECT_EQ(database_.count("idempotency_keys"), 2);
}

TEST_F(DepositsSpec, RefuseABadKeyThoughTheyNeedNone) {
  expect_failure(send(deposit_request(kUser, "5").with("Idempotency-Key", "short")), 400,
                 "idempotency_key_invalid");
  EXPECT_EQ(database_.count("deposits"), 0);
}

TEST_F(DepositsSpec, NeedCredentials) {
  ClientRequest nobody = deposit_request(kUser, "5");
  nobody.headers.erase(nobody.headers.begin());
  expect_failure(send(nobody), 401, "credentials_missing");
  expect_failure(send(deposit_request("stranger@example.com", "5")), 401, "credentials_invalid");
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(DepositsSpec, OfManyAtOnceAllCount) {
  std::vector<std::thread> clients;
  std::vector<int> statuses(8 * 8);
  for (std::size_t c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      HttpConnection connection = api_.connect();
      for (std::size_t i = 0; i < 8; ++i)
        statuses[c * 8 + i] = connection.exchange(deposit_request(kUser, "3")).status;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(statuses, std::vector<int>(64, 201));
  EXPECT_EQ(get("/account").at("balance"), 192);
}

using AccountSpec = QueriesSpec;

TEST_F(AccountSpec, IsBalanceAndCurrency) {
  EXPECT_EQ(send(get_request("/account")).body, R"({"balance":0,"currency":"usd"})");
  send(deposit_request(kUser, "1250"));
  const auto response = send(get_request("/account"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(json::parse(response.body), (json{{"balance", 1250}, {"currency", "usd"}}));
}

TEST_F(AccountSpec, BelongsToOneUser) {
  send(deposit_request(kUser, "1250"));
  EXPECT_EQ(get("/account", kDeclinedUser).at("balance"), 0);
  expect_credentials_needed("/account");
}

}  // namespace
}  // namespace rocket::spec
