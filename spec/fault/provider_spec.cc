#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spec/fault/provider_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/http_client.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// A payment provider that refuses, forgets, is down for long or hangs. provider_troubles_spec.cc has each
// fault that a call can meet.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

TEST_F(Provider, AnsweringTwiceConfusesNobody) {
  constexpr int kRides = 30;
  const ApiProcess api(database_, environment());
  provider_.fail("kind=twice&charged=true&times=" + std::to_string(kRides));
  for (int i = 0; i < kRides; ++i) {
    const std::string key = new_key();
    ClientResponse answer;
    EXPECT_TRUE(eventually([&] { return (answer = api.send(ride_request(key))).status == 201; }))
        << answer.body;
  }
  expect_one_effect(kRides);
}

TEST_F(Provider, DeclinesForGoodWithItsReason) {
  const ApiProcess api(database_, environment());
  const ClientResponse declined = api.send(ride_request(key_, kDeclinedUser));
  EXPECT_EQ(declined.status, 402);
  EXPECT_EQ(declined.code(), "card_declined");
  EXPECT_EQ(nlohmann::json::parse(declined.body)["decline_code"], "generic_decline");
  const ClientResponse again = api.send(ride_request(key_, kDeclinedUser));
  EXPECT_EQ(again.status, 402);
  EXPECT_EQ(again.body, declined.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(provider_.attempts(), 1U);
}

TEST_F(Provider, RejectsForGood) {
  database_.execute("UPDATE users SET stripe_customer_id = 'gone' WHERE email = $1", {kUser});
  const ApiProcess api(database_, environment());
  const ClientResponse rejected = api.send(ride_request(key_));
  EXPECT_EQ(rejected.status, 503);
  EXPECT_EQ(rejected.code(), "payment_rejected");
  const ClientResponse again = api.send(ride_request(key_));
  EXPECT_EQ(again.body, rejected.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(provider_.attempts(), 1U);
}

TEST_F(Provider, ThatForgotTheKeyIsAskedForTheChargeInstead) {
  const ApiProcess api(database_, environment());
  lose_the_answer(api);
  provider_.forget_keys();
  database_.execute("UPDATE rides SET created_at = now() - interval '21 hours'");

  provider_.fail("kind=status&status=500&times=3");
  const ClientResponse refused = api.send(ride_request(key_));
  EXPECT_EQ(refused.code(), "payment_unavailable") << "whether there is a charge is not known";
  EXPECT_EQ(database_.of_key(key_, "parked_at"), "NULL") << "it may be known later";

  EXPECT_EQ(api.send(ride_request(key_)).status, 201);
  expect_one_effect();
}

TEST_F(Provider, WhoseAnswerWasLostIsAskedAgainByTheCompleter) {
  {
    const ApiProcess api(database_, environment());
    lose_the_answer(api);
  }
  make_abandoned();
  Environment more = environment({{"COMPLETER_IDLE_MS", "20"}, {"DATABASE_URL", database_.url()}});
  const ChildProcess completer("completer", more);
  EXPECT_TRUE(eventually([&] { return database_.of_key(key_, "recovery_point") == "finished"; }))
      << completer.output();
  expect_one_effect();
}

TEST_F(Provider, WhoIsDownIsLeftAloneForAWhile) {
  ApiProcess api(database_, environment({{"CIRCUIT_FAILURES", "3"}, {"CIRCUIT_PAUSE_MS", "2500"}}));
  const nlohmann::json healthy{
      {"status", "ready"}, {"payment_provider", "answers"}, {"payment_circuit", "closed"}};
  EXPECT_EQ(readiness(api), healthy);
  provider_.fail("kind=reset&times=1000");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(api.send(ride_request(new_key())).status, 503);
  const nlohmann::json ailing{
      {"status", "ready"}, {"payment_provider", "does not answer"}, {"payment_circuit", "open"}};
  EXPECT_EQ(readiness(api), ailing);
  api.process().wait_for_line("does not answer");

  const int before = calls();
  const auto since = Clock::now();
  const ClientResponse refused = api.send(ride_request(key_));
  EXPECT_LT(Clock::now() - since, std::chrono::seconds(1)) << "refused at once";
  EXPECT_EQ(refused.code(), "payment_unavailable");
  EXPECT_GE(refused.header("retry-after"), "1");
  EXPECT_EQ(calls(), before) << "not called";

  provider_.heal();
  EXPECT_TRUE(eventually([&] { return api.send(ride_request(key_)).status == 201; }));
  EXPECT_EQ(readiness(api), healthy);
  api.process().wait_for_line("answers again");
  EXPECT_EQ(provider_.charges().size(), 1U);
}

TEST_F(Provider, WhoMayBeBackIsProbedByOneOfManyRequests) {
  constexpr int kRequests = 50;
  constexpr auto kProbeTakes = milliseconds(1500);
  const std::string line = "probe of the payment provider got no answer";
  ApiProcess api(database_, environment({{"CIRCUIT_FAILURES", "3"},
                                         {"CIRCUIT_PAUSE_MS", "2000"},
                                         {"STRIPE_TIMEOUT_MS", "5000"},
                                         {"STRIPE_TOTAL_TIMEOUT_MS", "5000"}}));
  // With these settings each request makes one call.
  const std::string fault = "kind=status&status=500&should_retry=false";
  provider_.fail(fault + "&times=3");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(api.send(ride_request(new_key())).status, 503);
  ASSERT_TRUE(eventually([&] { return readiness(api)["payment_circuit"] == "half-open"; }));
  EXPECT_EQ(calls(), 3);

  provider_.fail(fault + "&delay=" + std::to_string(kProbeTakes.count()));
  std::vector<HttpConnection> clients;
  for (int i = 0; i < kRequests; ++i) clients.push_back(api.connect());
  for (HttpConnection& each : clients) each.send(ride_request(new_key()).to_bytes());
  const auto answered = [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](HttpConnection& each) { return each.has_input(milliseconds(0)); });
  };
  EXPECT_TRUE(eventually([&] { return answered() == kRequests - 1; }, kProbeTakes));
  EXPECT_EQ(readiness(api)["payment_circuit"], "half-open");
  for (HttpConnection& each : clients) {
    const ClientResponse refused = each.receive();
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.code(), "payment_unavailable");
  }
  EXPECT_EQ(calls(), 4);
  api.process().wait_for_line(line);
  const std::string log = api.process().output();
  EXPECT_EQ(log.find(line), log.rfind(line)) << log;

  EXPECT_TRUE(eventually([&] { return api.send(ride_request(key_)).status == 201; }));
  EXPECT_EQ(readiness(api)["payment_circuit"], "closed");
}

TEST_F(Provider, WhoIsDownIsLeftAloneByTheCompleterToo) {
  constexpr int kRides = 5;
  provider_.fail("kind=status&status=500&should_retry=false&times=1000");
  {
    const ApiProcess api(database_, environment());
    for (int i = 0; i < kRides; ++i) EXPECT_EQ(api.send(ride_request(new_key())).status, 503);
  }
  make_abandoned();
  const ChildProcess completer("completer", environment({{"COMPLETER_IDLE_MS", "20"},
                                                         {"COMPLETER_PAUSE_S", "1"},
                                                         {"COMPLETER_LONGEST_PAUSE_S", "1"},
                                                         {"CIRCUIT_FAILURES", "3"},
                                                         {"CIRCUIT_PAUSE_MS", "60000"},
                                                         {"DATABASE_URL", database_.url()}}));
  completer.wait_for_line("payment provider does not answer");
  // In its first round the completer may call for all rides at once. In its second round it calls for none.
  EXPECT_TRUE(eventually([&] {
    return database_.count("idempotency_keys", "last_error LIKE '%not called'") == kRides;
  })) << completer.output();
  EXPECT_LE(calls(), 2 * kRides);
}

TEST_F(Provider, ThatHangsHoldsUpNobodyElse) {
  constexpr int kHanging = 200;
  const ApiProcess api(database_,
                       environment({{"STRIPE_TIMEOUT_MS", "5000"}, {"STRIPE_TOTAL_TIMEOUT_MS", "5000"}}));
  provider_.fail("kind=silence&times=" + std::to_string(kHanging));
  std::vector<HttpConnection> hanging;
  for (int i = 0; i < kHanging; ++i) {
    hanging.push_back(api.connect());
    hanging.back().send(ride_request(new_key()).to_bytes());
  }
  ASSERT_TRUE(eventually([&] { return calls() == kHanging; }));
  const auto before = Clock::now();
  EXPECT_EQ(api.send(ride_request(key_)).status, 201);
  EXPECT_EQ(api.send(deposit_request(kUser, "5")).status, 201);
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(4));
  for (HttpConnection& each : hanging) EXPECT_EQ(each.receive().status, 503);
}

TEST_F(Provider, HearsItsSecretAndNobodyElseDoes) {
  const std::string secret = PaymentProvider::kApiKey;
  Environment configured = environment({{"LOG_LEVEL", "info"}});
  ApiProcess api(database_, configured);
  provider_.fail("kind=status&status=401&times=9");
  const ClientResponse refused = api.send(ride_request(key_));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.body.find(secret), std::string::npos);
  EXPECT_EQ(api.process().output().find(secret), std::string::npos);
  EXPECT_EQ(database_.of_key(key_, "last_error").find(secret), std::string::npos);
  configured["DATABASE_URL"] = database_.url();
  EXPECT_EQ(run_to_end("api", configured, {"--help"}).output.find(secret), std::string::npos);
  configured["STRIPE_API_BASE"] = "http://example.com";
  const Finished mistaken = run_to_end("api", configured);
  EXPECT_EQ(mistaken.exit.code, 2) << "the key would travel in the clear";
  EXPECT_EQ(mistaken.output.find(secret), std::string::npos);
}

}  // namespace
}  // namespace rocket::spec
