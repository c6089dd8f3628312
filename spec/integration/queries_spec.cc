#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

using nlohmann::json;

class QueriesSpec : public testing::Test {
 protected:
  ClientResponse send(const ClientRequest& request) const { return api_.send(request); }
  json get(const std::string& target, const std::string& user = kUser) const {
    const auto response = send(get_request(target, user));
    EXPECT_EQ(response.status, 200) << target << ": " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  json key_state(const std::string& key) const {
    return get("/idempotency-keys/" + key).at("idempotency_key");
  }

  void expect_credentials_needed(const std::string& target) {
    expect_failure(send({"GET", target, {}, ""}), 401, "credentials_missing");
    expect_failure(send(get_request(target, "stranger@example.com")), 401, "credentials_invalid");
  }

  TestDatabase database_;
  ApiProcess api_{database_};
  const std::string key_ = new_key();
};

using RideQuerySpec = QueriesSpec;

TEST_F(RideQuerySpec, ShowsTheOwnersRide) {
  const auto created = json::parse(send(ride_request(key_)).body);
  const std::string id = std::to_string(created.at("ride").at("id").get<int>());
  json ride = created.at("ride");
  ride.update({{"state", "charged"}, {"stripe_refund_id", nullptr}, {"cancelled_at", nullptr}});
  EXPECT_EQ(get("/rides/" + id).at("ride"), ride);
}

TEST_F(RideQuerySpec, ShowsTheStateOfARide) {
  const auto state = [&] {
    return json(get("/rides/" + database_.value("SELECT max(id) FROM rides")).at("ride").at("state"));
  };
  send(ride_request(key_, kUser, std::string(kRideForm) + "&raise_error=true"));
  EXPECT_EQ(state(), "unfinished");
  send(ride_request(key_));
  EXPECT_EQ(state(), "charged");
  const std::string id = database_.value("SELECT id FROM rides");
  ClientRequest failing = cancel_request(id).with("Content-Type", "application/x-www-form-urlencoded");
  failing.body = "raise_error=true";
  EXPECT_EQ(send(failing).status, 500);
  EXPECT_EQ(state(), "cancelling");
  const auto cancelled = send(cancel_request(id));
  EXPECT_EQ(cancelled.status, 200);
  EXPECT_EQ(get("/rides/" + id).at("ride"), json::parse(cancelled.body).at("ride"));
  EXPECT_EQ(state(), "cancelled");

  send(ride_request(new_key(), kDeclinedUser));
  const std::string declined = database_.value("SELECT max(id) FROM rides");
  const auto refused = send(get_request("/rides/" + declined, kDeclinedUser));
  EXPECT_EQ(json::parse(refused.body).at("ride").at("state"), "not_charged");
}

TEST_F(RideQuerySpec, ShowsNobodyElsesRide) {
  const auto created = json::parse(send(ride_request(key_)).body);
  const std::string id = std::to_string(created.at("ride").at("id").get<int>());
  const auto others = send(get_request("/rides/" + id, kDeclinedUser));
  expect_failure(others, 404, "ride_not_found");
  // The answer is the same as for a ride that never existed.
  EXPECT_EQ(others.body, send(get_request("/rides/4711", kDeclinedUser)).body);
  expect_credentials_needed("/rides/" + id);
}

TEST_F(RideQuerySpec, FindsNothingUnderWhatIsNoId) {
  for (const char* id : {"0", "-1", "abc", "1x", "1e0", "99999999999999999999999999", "9223372036854775808",
                         "%31%00", "%zz", "1%27", "%20"}) {
    expect_failure(send(get_request(std::string("/rides/") + id)), 404, "ride_not_found");
  }
}

using KeyQuerySpec = QueriesSpec;

TEST_F(KeyQuerySpec, ShowsTheStoredAnswer) {
  const auto created = json::parse(send(ride_request(key_)).body);
  const auto state = key_state(key_);
  EXPECT_EQ(state.at("key"), key_);
  EXPECT_EQ(state.at("state"), "finished");
  EXPECT_EQ(state.at("recovery_point"), "finished");
  EXPECT_EQ(state.at("attempts"), 1);
  EXPECT_EQ(state.at("response").at("status"), 201);
  EXPECT_EQ(state.at("response").at("body"), created);
  EXPECT_EQ(state.at("request_path"), "/rides");
  // Internal columns are not shown.
  EXPECT_FALSE(state.contains("lease"));
  EXPECT_FALSE(state.contains("last_error"));
}

TEST_F(KeyQuerySpec, ShowsWhenTheKeyExpires) {
  ASSERT_EQ(send(ride_request(key_)).status, 201);
  database_.execute("UPDATE idempotency_keys SET finished_at = '2030-01-01T00:00:00Z'");
  EXPECT_TRUE(key_state(key_).at("expires_at").get<std::string>().starts_with("2030-01-04T00:00:00"));
}

TEST_F(KeyQuerySpec, ShowsHowFarItGot) {
  send(ride_request(key_, kUser, std::string(kRideForm) + "&raise_error=true"));
  const auto state = key_state(key_);
  EXPECT_EQ(state.at("state"), "waiting");
  EXPECT_EQ(state.at("recovery_point"), "ride_created");
  EXPECT_TRUE(state.at("response").is_null());
  EXPECT_TRUE(state.at("expires_at").is_null());
  database_.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'too old'");
  EXPECT_EQ(key_state(key_).at("state"), "parked");
}

TEST_F(KeyQuerySpec, ShowsNobodyAtWorkWhoseLeaseHasRunOut) {
  send(ride_request(key_, kUser, std::string(kRideForm) + "&raise_error=true"));
  database_.execute(
      "UPDATE idempotency_keys SET lease = gen_random_uuid(), locked_at = now() - interval '80 s'");
  EXPECT_EQ(key_state(key_).at("state"), "in_progress");
  database_.pass_lease(key_);
  EXPECT_EQ(key_state(key_).at("state"), "waiting");
}

TEST_F(KeyQuerySpec, ShowsADeclinedCard) {
  send(ride_request(key_, kDeclinedUser));
  const auto state = get("/idempotency-keys/" + key_, kDeclinedUser).at("idempotency_key");
  EXPECT_EQ(state.at("response").at("status"), 402);
  EXPECT_EQ(state.at("response").at("body").at("code"), "card_declined");
}

TEST_F(KeyQuerySpec, ShowsNobodyElsesKey) {
  send(ride_request(key_));
  expect_failure(send(get_request("/idempotency-keys/" + key_, kDeclinedUser)), 404,
                 "idempotency_key_not_found");
  expect_failure(send(get_request("/idempotency-keys/" + new_key())), 404, "idempotency_key_not_found");
  expect_failure(send(get_request("/idempotency-keys/short")), 404, "idempotency_key_not_found");
  expect_failure(send(get_request("/idempotency-keys/%ff%00")), 404, "idempotency_key_not_found");
  expect_credentials_needed("/idempotency-keys/" + key_);
}

TEST_F(KeyQuerySpec, DecodesThePath) {
  const std::string odd = "a/b%c?d e" + key_;
  ASSERT_EQ(send(ride_request(odd)).status, 201);
  EXPECT_EQ(key_state("a%2Fb%25c%3Fd%20e" + key_).at("key"), odd);
  ASSERT_EQ(send(ride_request(key_)).status, 201);
  EXPECT_EQ(key_state("%22" + key_ + "%22").at("key"), key_);
}

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

using HealthSpec = QueriesSpec;

TEST_F(HealthSpec, IsGoodWhileTheDatabaseAnswers) {
  EXPECT_EQ(send({"GET", "/healthz", {}, ""}).status, 200);
  EXPECT_EQ(send({"GET", "/readyz", {}, ""}).status, 200);
  EXPECT_EQ(send({"GET", "/readyz?verbose=1", {}, ""}).status, 200);
}

TEST(DatabaseAway, IsSaidSoAndTheProcessLives) {
  TestDatabase database;
  const ApiProcess api(url_with(database.url(), {{"host", "/nonexistent"}}), {});
  EXPECT_EQ(api.send({"GET", "/healthz", {}, ""}).status, 200);
  for (const ClientRequest& request :
       {ClientRequest{"GET", "/readyz", {}, ""}, ride_request(new_key()), ride_request("short"),
        deposit_request(kUser, "5"), get_request("/account"), get_request("/rides/1"),
        get_request("/idempotency-keys/" + new_key())}) {
    const auto response = api.send(request);
    expect_failure(response, 503, "database_unavailable");
    expect_retry_later(response);
  }
}

TEST(DatabaseAway, IsForgottenOnceItIsBack) {
  TestDatabase database;
  const ApiProcess api(database);
  const std::string key = new_key();
  ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
  SqlSession maintenance(maintenance_url());
  maintenance.execute("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS false");
  maintenance.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                   {database.name()});
  const auto away = api.send(ride_request(key));
  expect_failure(away, 503, "database_unavailable");
  expect_retry_later(away);
  EXPECT_EQ(api.send({"GET", "/readyz", {}, ""}).status, 503);
  EXPECT_EQ(api.send({"GET", "/healthz", {}, ""}).status, 200);

  maintenance.execute("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS true");
  EXPECT_TRUE(eventually([&] { return api.send({"GET", "/readyz", {}, ""}).status == 200; }));
  ClientResponse answer;
  // Each lane reconnects by itself.
  EXPECT_TRUE(eventually([&] {
    answer = api.send(ride_request(key));
    return answer.status != 503;
  }));
  EXPECT_EQ(answer.status, 201) << answer.body;
  database.reconnect();
  EXPECT_EQ(database.count("rides"), 2);
}

}  // namespace
}  // namespace rocket::spec
