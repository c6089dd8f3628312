#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/integration/rides_fixture.h"
#include "spec/support/parallel_replays.h"

// POST /rides: what a ride leaves behind, and what the same key gets when it comes again.
namespace rocket::spec {
namespace {

using nlohmann::json;

TEST_F(RidesSpec, AnswersWithTheRide) {
  const auto response = send(ride_request(key_));
  ASSERT_EQ(response.status, 201) << response.body;
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.count("x-request-id"), 1U);
  EXPECT_EQ(response.count("idempotent-replayed"), 0U);
  EXPECT_EQ(response.count("connection"), 0U);
  const auto body = json::parse(response.body);
  EXPECT_TRUE(body.at("message").is_string());
  const auto& ride = body.at("ride");
  EXPECT_EQ(ride.at("id"), database_.number("SELECT id FROM rides"));
  EXPECT_EQ(ride.at("origin_lat"), 1.5);
  EXPECT_EQ(ride.at("origin_lon"), -2.25);
  EXPECT_EQ(ride.at("target_lat"), 3.0);
  EXPECT_EQ(ride.at("target_lon"), 4.0);
  EXPECT_EQ(ride.at("stripe_charge_id"), database_.value("SELECT stripe_charge_id FROM rides"));
}

TEST_F(RidesSpec, LeavesOneOfEverything) {
  ASSERT_EQ(send(ride_request(key_)).status, 201);
  EXPECT_EQ(database_.count("rides"), 1);
  EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_ride_receipt'"), 1);
  EXPECT_EQ(database_.count("audit_records", "action = 'created' AND resource_type = 'ride'"), 1);
  EXPECT_EQ(database_.value("SELECT host(origin_ip) FROM audit_records"), "127.0.0.1");
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "finished");
  EXPECT_EQ(database_.of_key(key_, "response_code"), "201");
  EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
  EXPECT_EQ(database_.of_key(key_, "locked_at"), "NULL");
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
  // A receipt names its ride.
  EXPECT_EQ(database_.value("SELECT job_args->>'ride_id' FROM staged_jobs"),
            database_.value("SELECT id::text FROM rides"));
}

TEST_F(RidesSpec, ReplaysTheSameBytes) {
  const auto first = send(ride_request(key_));
  ASSERT_EQ(first.status, 201);
  for (int i = 0; i < 3; ++i) {
    const auto again = send(ride_request(key_));
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("content-type"), first.header("content-type"));
    EXPECT_EQ(again.header("idempotent-replayed"), "true");
  }
  EXPECT_EQ(database_.count("rides"), 1);
  EXPECT_EQ(database_.count("staged_jobs"), 1);
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

TEST_F(RidesSpec, ReplaysTheSameBytesToManyAtOnce) {
  const auto first = send(ride_request(key_));
  ASSERT_EQ(first.status, 201) << first.body;
  ParallelReplays many(api_, 32);
  for (int i = 0; i < 3; ++i) many.expect(ride_request(key_), 201, first.body);
  EXPECT_EQ(database_.count("rides"), 1);
  EXPECT_EQ(database_.count("staged_jobs"), 1);
}

TEST_F(RidesSpec, TakesJsonAsTheSameRequest) {
  const auto first = send(ride_request(key_));
  ASSERT_EQ(first.status, 201);
  ClientRequest as_json{
      "POST",
      "/rides",
      {{"Authorization", kUser}, {"Idempotency-Key", key_}, {"Content-Type", "application/json"}},
      R"({"target_lon":4.00,"target_lat":3,"origin_lon":-2.25,"origin_lat":15e-1})"};
  const auto again = send(as_json);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
}

TEST_F(RidesSpec, TheContractsCurlWorks) {
  const auto response = send(ride_request(std::string(64, 'f'), kUser,
                                          "origin_lat=0.0&origin_lon=0.0&target_lat=0.0&target_lon=0.0"));
  EXPECT_EQ(response.status, 201) << response.body;
}

TEST_F(RidesSpec, StoresADeclinedCard) {
  const auto first = send(ride_request(key_, kDeclinedUser));
  expect_failure(first, 402, "card_declined");
  EXPECT_EQ(database_.of_key(key_, "response_code"), "402");
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "finished");
  EXPECT_EQ(database_.count("staged_jobs"), 0);
  const auto again = send(ride_request(key_, kDeclinedUser));
  EXPECT_EQ(again.status, 402);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
}

TEST_F(RidesSpec, AKeyBelongsToItsUser) {
  EXPECT_EQ(send(ride_request(key_, kUser)).status, 201);
  EXPECT_EQ(send(ride_request(key_, kDeclinedUser)).status, 402);
  EXPECT_EQ(database_.count("idempotency_keys"), 2);
}

TEST_F(RidesSpec, AQuotedKeyEqualsTheUnquotedOne) {
  const auto first = send(ride_request(key_));
  const auto again = send(ride_request('"' + key_ + '"'));
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
}

TEST_F(RidesSpec, TakesKeysOf255Characters) {
  EXPECT_EQ(send(ride_request(std::string(255, 'k'))).status, 201);
  EXPECT_EQ(send(ride_request(std::string(20, 'k'))).status, 201);
}

TEST_F(RidesSpec, FailsOnceWhenAskedToRaiseAnError) {
  const std::string failing = std::string(kRideForm) + "&raise_error=true";
  const auto response = send(ride_request(key_, kUser, failing));
  expect_failure(response, 500, "internal");
  EXPECT_EQ(response.body.find("raise_error"), std::string::npos);
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");
  EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
  EXPECT_EQ(database_.of_key(key_, "response_code"), "NULL");
  EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"), "NULL");
  // raise_error is not stored, so the request without it is the same request.
  const auto retry = send(ride_request(key_));
  EXPECT_EQ(retry.status, 201) << retry.body;
  EXPECT_EQ(retry.count("idempotent-replayed"), 0U);
  EXPECT_EQ(database_.of_key(key_, "attempts"), "2");
  EXPECT_EQ(database_.count("rides"), 1);
}

TEST_F(RidesSpec, AParkedKeyWaitsForAPerson) {
  send(ride_request(key_, kUser, std::string(kRideForm) + "&raise_error=true"));
  database_.execute("UPDATE idempotency_keys SET parked_at = now(), last_error = 'too old'");
  const auto response = send(ride_request(key_));
  expect_failure(response, 409, "request_parked");
  EXPECT_EQ(response.count("retry-after"), 0U);
  EXPECT_EQ(response.body.find("too old"), std::string::npos);
  EXPECT_EQ(database_.value("SELECT stripe_charge_id FROM rides"), "NULL");
}

TEST_F(RidesSpec, AStoredFailureIsAProblemWhenAskedFor) {
  const auto plain = send(ride_request(key_, kDeclinedUser));
  const auto problem = send(ride_request(key_, kDeclinedUser).with("Accept", "application/problem+json"));
  EXPECT_EQ(problem.status, 402);
  EXPECT_EQ(problem.header("content-type"), "application/problem+json");
  EXPECT_EQ(problem.header("idempotent-replayed"), "true");
  EXPECT_EQ(problem.code(), "card_declined");
  EXPECT_EQ(send(ride_request(key_, kDeclinedUser)).body, plain.body);
  // A success is not written as a problem.
  const auto success = send(ride_request(new_key()).with("Accept", "application/problem+json"));
  EXPECT_EQ(success.status, 201);
  EXPECT_EQ(success.header("content-type"), "application/json");
}

TEST_F(RidesSpec, EchoesASaneRequestId) {
  EXPECT_EQ(send(ride_request(key_).with("X-Request-Id", "trace-42")).header("x-request-id"), "trace-42");
  const auto odd = send(ride_request(key_).with("X-Request-Id", "a b")).header("x-request-id");
  EXPECT_NE(odd, "a b");
  EXPECT_NE(odd, "");
  EXPECT_EQ(send(get_request("/nothing").with("X-Request-Id", "trace-43")).header("x-request-id"),
            "trace-43");
}

TEST(PaymentOutage, ReleasesTheKeyAndStoresNothing) {
  TestDatabase database;
  const std::string key = new_key();
  {
    const ApiProcess api(database, {{"MOCK_OUTAGE_PERCENT", "100"}});
    for (int attempt = 1; attempt <= 2; ++attempt) {
      const auto response = api.send(ride_request(key));
      expect_failure(response, 503, "payment_unavailable");
      expect_retry_later(response);
      EXPECT_EQ(database.of_key(key, "recovery_point"), "ride_created");
      EXPECT_EQ(database.of_key(key, "lease"), "NULL");
      EXPECT_EQ(database.of_key(key, "response_code"), "NULL");
      EXPECT_EQ(database.of_key(key, "attempts"), std::to_string(attempt));
    }
  }
  const ApiProcess api(database);
  EXPECT_EQ(api.send(ride_request(key)).status, 201);
  EXPECT_EQ(database.count("rides"), 1);
  EXPECT_EQ(database.count("staged_jobs"), 1);
}

}  // namespace
}  // namespace rocket::spec
