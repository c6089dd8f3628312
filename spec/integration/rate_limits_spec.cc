#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/api_tokens.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// What a caller may do in a second, a minute, an hour and a day, seen from outside.
namespace rocket::spec {
namespace {

ClientRequest with_key(ClientRequest request, const std::string& key) {
  request.headers.emplace_back("Idempotency-Key", key);
  return request;
}

class RateLimitsOfTheApi : public testing::Test {
 protected:
  // Without other limits than these. One lane answers in order of arrival.
  ApiProcess start(Environment limits) {
    limits.emplace("DATABASE_LANES", "1");
    return ApiProcess(database_, limits);
  }

  // From now on the api knows whose credentials these are.
  static void introduce(const ApiProcess& api, const std::string& credentials = kUser) {
    EXPECT_EQ(api.send(get_request("/account", credentials)).status, 200);
  }

  // Checks the fields, and returns Retry-After.
  static int expect_refusal(const ClientResponse& refused, const std::string& code, const std::string& limit,
                            const std::string& policy) {
    expect_failure(refused, 429, code);
    const std::string wait = refused.header("retry-after");
    EXPECT_EQ(refused.header("ratelimit-policy"), '"' + limit + "\";" + policy);
    EXPECT_EQ(refused.header("ratelimit"), '"' + limit + "\";r=0;t=" + wait);
    return std::stoi(wait);
  }

  TestDatabase database_;
  const std::string key_ = new_key();
};

// Sends until a request is refused. A slow machine may take so long for a few that tokens come back
// meanwhile.
ClientResponse first_refused(const std::function<ClientResponse()>& send) {
  ClientResponse answer;
  for (int i = 0; i < 200; ++i) {
    answer = send();
    if (answer.status == 429) break;
  }
  return answer;
}

TEST_F(RateLimitsOfTheApi, AUserMaySendSoManyRequestsASecond) {
  const ApiProcess api = start({{"API_REQUESTS_PER_S", "1"}, {"API_REQUEST_BURST", "4"}});
  const auto ask = [&] { return api.send(get_request("/account")); };
  introduce(api);
  const ClientResponse served = ask();
  EXPECT_EQ(served.status, 200) << served.body;
  EXPECT_EQ(served.count("ratelimit"), 0U);
  const ClientResponse refused = first_refused(ask);
  EXPECT_EQ(expect_refusal(refused, "rate_limited", "requests", "q=4;w=4"), 1);
  ClientRequest as_problem = get_request("/account");
  as_problem.headers.emplace_back("Accept", "application/problem+json");
  const ClientResponse problem = first_refused([&] { return api.send(as_problem); });
  EXPECT_EQ(problem.header("content-type"), "application/problem+json");
  EXPECT_EQ(problem.code(), "rate_limited");
  // Others, checks and pages are served meanwhile.
  EXPECT_EQ(api.send(get_request("/account", kDeclinedUser)).status, 200);
  for (const char* path : {"/healthz", "/readyz", "/", "/docs/idempotency"}) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(api.send({"GET", path, {}, ""}).status, 200) << path;
  }
  EXPECT_TRUE(eventually([&] { return ask().status == 200; }));
}

TEST_F(RateLimitsOfTheApi, ARefusedRequestCostsNoStatement) {
  CuttingProxy proxy(database_.url(), CuttingProxy::Counts::kStatements);
  const ApiProcess api(
      proxy.url(),
      {{"API_REQUESTS_PER_S", "1"}, {"API_REQUEST_BURST", "2"}, {"API_FAILED_CREDENTIALS_PER_MIN", "1"}});
  const auto stranger = [&] { return api.send(get_request("/account", "stranger@example.com")); };
  EXPECT_EQ(api.send(deposit_request(kUser, "1")).status, 201);
  EXPECT_TRUE(eventually([&] { return stranger().code() == "too_many_failed_credentials"; }));
  int refused = 0;
  // On a slow machine, there is room again now and then.
  for (int i = 0; i < 1000 && refused < 20; ++i) {
    const std::size_t before = proxy.passed(CuttingProxy::To::kServer);
    EXPECT_GT(before, 0U);
    const ClientResponse own = api.send(deposit_request(kUser, "1"));
    if (own.code() != "rate_limited") continue;
    ++refused;
    EXPECT_EQ(stranger().code(), "too_many_failed_credentials");
    EXPECT_EQ(proxy.passed(CuttingProxy::To::kServer), before);
  }
  EXPECT_EQ(refused, 20);
}

TEST_F(RateLimitsOfTheApi, AnAddressMayTrySoManyWrongCredentialsAMinute) {
  const ApiProcess api =
      start({{"API_FAILED_CREDENTIALS_PER_MIN", "2"}, {"API_TRUSTED_PROXIES", "127.0.0.1"}});
  const auto ask = [&](const std::string& address, const std::string& user) {
    ClientRequest request = get_request("/account", user);
    request.headers.emplace_back("X-Forwarded-For", address);
    return api.send(request);
  };
  EXPECT_EQ(ask("2001:db8:0:1::1", kUser).status, 200);
  const ClientResponse refused = first_refused([&] { return ask("2001:db8:0:1::1", "a@example.com"); });
  const int wait = expect_refusal(refused, "too_many_failed_credentials", "failed-credentials", "q=2;w=60");
  EXPECT_GE(wait, 1);
  EXPECT_LE(wait, 30);
  // The whole /64 counts as one address.
  EXPECT_EQ(ask("2001:db8:0:1:ffff::2", "b@example.com").status, 429);
  EXPECT_EQ(ask("2001:db8:0:2::1", "b@example.com").status, 401);
  EXPECT_EQ(ask("192.0.2.1", "b@example.com").status, 401);
  // Nor is a user held up who is known, or anybody told more who tries nothing.
  EXPECT_EQ(ask("2001:db8:0:1::1", kUser).status, 200);
  for (const char* address : {"2001:db8:0:1::1", "192.0.2.2"}) {
    const ClientRequest nothing{"GET", "/account", {{"X-Forwarded-For", address}}, ""};
    for (int i = 0; i < 5; ++i) EXPECT_EQ(api.send(nothing).code(), "credentials_missing");
  }
  // What cannot belong to anybody was no try.
  EXPECT_EQ(ask("192.0.2.2", "b@example.com").status, 401);
}

TEST_F(RateLimitsOfTheApi, AUserMayHaveSoManyChargesDeclinedAnHour) {
  const ApiProcess api = start({{"API_DECLINES_PER_H", "2"}});
  introduce(api, kDeclinedUser);
  const std::string left = new_key();
  const std::string failing = std::string(kRideForm) + "&raise_error=true";
  EXPECT_EQ(api.send(ride_request(left, kDeclinedUser, failing)).code(), "internal");
  EXPECT_EQ(api.send(ride_request(key_, kDeclinedUser)).status, 402);
  // A replay is no second decline.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(api.send(ride_request(key_, kDeclinedUser)).status, 402);
  EXPECT_EQ(api.send(ride_request(new_key(), kDeclinedUser)).status, 402);
  const auto rides = database_.count("rides");

  const ClientResponse refused = api.send(ride_request(new_key(), kDeclinedUser));
  const int wait = expect_refusal(refused, "too_many_declines", "declines", "q=2;w=3600");
  EXPECT_GT(wait, 1700);
  EXPECT_LE(wait, 1800);
  // Going on with an unfinished request would be a charge as well.
  EXPECT_EQ(api.send(ride_request(left, kDeclinedUser)).code(), "too_many_declines");
  EXPECT_EQ(database_.count("rides"), rides);
  EXPECT_EQ(database_.count("idempotency_keys"), 3);
  const ClientResponse replayed = api.send(ride_request(key_, kDeclinedUser));
  EXPECT_EQ(replayed.status, 402);
  EXPECT_EQ(replayed.header("idempotent-replayed"), "true");
  EXPECT_EQ(api.send(get_request("/rides", kDeclinedUser)).status, 200);
  EXPECT_EQ(api.send(deposit_request(kDeclinedUser, "1")).status, 201);
  EXPECT_EQ(api.send(cancel_request("2", kDeclinedUser)).code(), "ride_not_charged");
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
}

TEST_F(RateLimitsOfTheApi, DeclinesCountForAUserWhoWasNotKnownBefore) {
  const ApiProcess api = start({{"API_DECLINES_PER_H", "1"}});
  EXPECT_EQ(api.send(ride_request(key_, kDeclinedUser)).status, 402);
  introduce(api, kDeclinedUser);
  EXPECT_EQ(api.send(ride_request(new_key(), kDeclinedUser)).code(), "too_many_declines");
}

TEST_F(RateLimitsOfTheApi, AChargeIsOverWithItsAnswer) {
  const ApiProcess api = start({{"API_DECLINES_PER_H", "1"}});
  introduce(api);
  HttpConnection connection = api.connect();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(connection.exchange(ride_request(new_key())).status, 201) << i;
}

// Otherwise as many could be declined as a user may have in flight.
TEST_F(RateLimitsOfTheApi, NoMoreChargesAreUnderWayThanMayBeDeclined) {
  const ApiProcess api = start({{"API_DECLINES_PER_H", "2"}, {"MOCK_LATENCY_MS", "60000"}});
  introduce(api);
  std::vector<HttpConnection> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(api.connect());
    waiting.back().send(ride_request(new_key()).to_bytes());
  }
  ASSERT_TRUE(eventually([&] { return database_.count("rides") == 2; }));
  const ClientResponse refused = api.send(ride_request(new_key()));
  expect_failure(refused, 429, "too_many_requests");
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(api.send(deposit_request(kUser, "1")).status, 201);
  EXPECT_EQ(database_.count("rides"), 2);
}

TEST_F(RateLimitsOfTheApi, AUserMayLeaveSoManyKeysUnfinishedAnHour) {
  const ApiProcess api = start({{"API_UNFINISHED_KEYS_PER_H", "2"}, {"MOCK_OUTAGE_PERCENT", "100"}});
  introduce(api);
  EXPECT_EQ(api.send(ride_request(key_)).code(), "payment_unavailable");
  // A retry leaves no further key.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(api.send(ride_request(key_)).code(), "payment_unavailable");
  EXPECT_EQ(api.send(ride_request(new_key())).code(), "payment_unavailable");

  const ClientResponse refused = api.send(ride_request(new_key()));
  const int wait = expect_refusal(refused, "too_many_unfinished_keys", "unfinished-keys", "q=2;w=3600");
  EXPECT_GT(wait, 1700);
  EXPECT_LE(wait, 1800);
  EXPECT_EQ(database_.count("idempotency_keys"), 2);
  EXPECT_EQ(api.send(deposit_request(kUser, "1")).code(), "too_many_unfinished_keys");
  EXPECT_EQ(database_.count("deposits"), 0);
  // The unfinished ones may go on.
  EXPECT_EQ(api.send(ride_request(key_)).code(), "payment_unavailable");
  EXPECT_EQ(api.send(get_request("/account")).status, 200);
  EXPECT_EQ(api.send(deposit_request(kDeclinedUser, "1")).status, 201);
}

TEST_F(RateLimitsOfTheApi, AUserMayStoreSoManyKeysADay) {
  const ApiProcess api = start({{"API_KEYS_PER_DAY", "2"}});
  introduce(api);
  const ClientRequest first = with_key(deposit_request(kUser, "1"), key_);
  EXPECT_EQ(api.send(first).status, 201);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(api.send(first).header("idempotent-replayed"), "true");
  // What is refused stores none.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(api.send(cancel_request("7")).code(), "ride_not_found");
  EXPECT_EQ(api.send(deposit_request(kUser, "1")).status, 201);

  const ClientResponse refused = api.send(with_key(deposit_request(kUser, "1"), new_key()));
  const int wait = expect_refusal(refused, "too_many_keys", "keys", "q=2;w=86400");
  EXPECT_GT(wait, 43'000);
  EXPECT_LE(wait, 43'200);
  EXPECT_EQ(database_.count("idempotency_keys"), 2);
  EXPECT_EQ(api.send(first).header("idempotent-replayed"), "true");
  EXPECT_EQ(api.send(get_request("/account")).status, 200);
  EXPECT_EQ(api.send(deposit_request(kDeclinedUser, "1")).status, 201);
}

TEST_F(RateLimitsOfTheApi, BelongToAUserAndNotToATokenOfTheirs) {
  const ApiProcess api = start({{"API_KEYS_PER_DAY", "2"}});
  const std::string one = make_bearer(database_);
  const std::string other = make_bearer(database_);
  for (const std::string& token : {one, other}) introduce(api, token);
  for (const std::string& token : {one, other}) {
    EXPECT_EQ(api.send(deposit_request(token, "1")).status, 201);
  }
  for (const std::string& token : {one, other}) {
    EXPECT_EQ(api.send(deposit_request(token, "1")).code(), "too_many_keys");
  }
  // A further token is new to the api. What it does counts for its user as soon as that is known.
  const std::string third = make_bearer(database_);
  introduce(api, third);
  EXPECT_EQ(api.send(deposit_request(third, "1")).code(), "too_many_keys");
}

}  // namespace
}  // namespace rocket::spec
