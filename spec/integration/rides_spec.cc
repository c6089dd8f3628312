#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/parallel_replays.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

using nlohmann::json;

class RidesSpec : public testing::Test {
 protected:
  ClientResponse send(const ClientRequest& request) const { return api_.send(request); }

  void expect_nothing_stored() {
    EXPECT_EQ(database_.count("idempotency_keys"), 0);
    EXPECT_EQ(database_.count("rides"), 0);
    EXPECT_EQ(database_.count("staged_jobs"), 0);
    EXPECT_EQ(database_.count("audit_records"), 0);
  }

  TestDatabase database_;
  ApiProcess api_{database_};
  const std::string key_ = new_key();
};

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

TEST_F(RidesSpec, NeedsAKey) {
  ClientRequest request = ride_request(key_);
  std::erase_if(request.headers, [](const auto& header) { return header.first == "Idempotency-Key"; });
  expect_failure(send(request), 400, "idempotency_key_missing");
  expect_nothing_stored();
}

TEST_F(RidesSpec, RefusesBadKeys) {
  for (const std::string& bad :
       {std::string(""), std::string(19, 'k'), std::string(256, 'k'), std::string(101, '\xe9'),
        std::string(20, '\xff'), "\"" + std::string(20, 'k'), std::string(25, '\t')}) {
    expect_failure(send(ride_request(bad)), 400, "idempotency_key_invalid");
  }
  expect_failure(send(ride_request(key_).with("Idempotency-Key", key_)), 400, "idempotency_key_invalid");
  expect_nothing_stored();
}

TEST_F(RidesSpec, RefusesAKeyWithNul) {
  const auto response = send(ride_request(key_ + std::string(1, '\0')));
  EXPECT_EQ(response.status, 400) << response.body;
  expect_nothing_stored();
}

TEST_F(RidesSpec, NeedsCredentials) {
  ClientRequest request = ride_request(key_);
  std::erase_if(request.headers, [](const auto& header) { return header.first == "Authorization"; });
  const auto response = send(request);
  expect_failure(response, 401, "credentials_missing");
  EXPECT_EQ(response.count("www-authenticate"), 1U);
  expect_failure(send(ride_request(key_, "stranger@example.com")), 401, "credentials_invalid");
  expect_failure(send(ride_request(key_, std::string(300, 'a'))), 401, "credentials_invalid");
  expect_failure(send(ride_request(key_, "caf\xe9")), 401, "credentials_invalid");
  expect_failure(send(ride_request(key_).with("Authorization", kUser)), 401, "credentials_invalid");
  expect_nothing_stored();
}

TEST_F(RidesSpec, RefusesMalformedBodies) {
  for (const char* body : {"origin_lat=%", "origin_lat=%ff", "origin_lat=%00", "origin_lat=1&origin_lat=2"}) {
    expect_failure(send(ride_request(key_, kUser, body)), 400, "body_malformed");
  }
  ClientRequest as_json = ride_request(key_, kUser, "{\"origin_lat\":");
  as_json.headers.back().second = "application/json";
  expect_failure(send(as_json), 400, "body_malformed");
  expect_nothing_stored();
}

TEST_F(RidesSpec, NamesTheParameterThatIsWrong) {
  const auto missing = send(ride_request(key_, kUser, "origin_lat=1&origin_lon=1&target_lat=1"));
  expect_failure(missing, 422, "parameter_missing");
  EXPECT_NE(missing.body.find("target_lon"), std::string::npos);
  for (const char* value : {"0x1A", "1_0", "nan", "inf", "1e999", "90.5", "north", ""}) {
    const auto invalid = send(ride_request(
        key_, kUser, std::string("origin_lat=") + value + "&origin_lon=1&target_lat=1&target_lon=1"));
    expect_failure(invalid, 422, "parameter_invalid");
    EXPECT_NE(invalid.body.find("origin_lat"), std::string::npos) << invalid.body;
  }
  expect_nothing_stored();
}

TEST_F(RidesSpec, ARefusedRequestLeavesItsKeyFree) {
  expect_failure(send(ride_request(key_, kUser, "origin_lat=north")), 422, "parameter_invalid");
  EXPECT_EQ(send(ride_request(key_)).status, 201);
}

TEST_F(RidesSpec, RefusesOtherBodyTypes) {
  ClientRequest request = ride_request(key_);
  request.headers.back().second = "text/plain";
  expect_failure(send(request), 415, "body_type_unsupported");
  request.headers.pop_back();
  expect_failure(send(request), 415, "body_type_unsupported");
  expect_nothing_stored();
}

TEST_F(RidesSpec, ChecksCredentialsThenKeyThenBody) {
  ClientRequest request{
      "POST", "/rides", {{"Content-Type", "text/plain"}, {"Idempotency-Key", "short"}}, "nonsense"};
  expect_failure(send(request), 401, "credentials_missing");
  expect_failure(send(request.with("Authorization", "stranger@example.com")), 401, "credentials_invalid");
  expect_failure(send(request.with("Authorization", kUser)), 400, "idempotency_key_invalid");
  request.headers[1].second = key_;
  expect_failure(send(request.with("Authorization", kUser)), 415, "body_type_unsupported");
  // A stranger learns nothing about a key or about the checks of a body.
  expect_failure(send(ride_request("short", "stranger@example.com")), 401, "credentials_invalid");
  expect_failure(send(ride_request(key_, "stranger@example.com", "x=%")), 401, "credentials_invalid");
  expect_nothing_stored();
}

TEST_F(RidesSpec, RefusesAKeyThatCameWithOtherParameters) {
  const auto first = send(ride_request(key_));
  ASSERT_EQ(first.status, 201);
  const char* other = "origin_lat=1.5&origin_lon=-2.25&target_lat=3&target_lon=5";
  const auto response = send(ride_request(key_, kUser, other));
  expect_failure(response, 409, "idempotency_key_reused");
  EXPECT_EQ(response.count("retry-after"), 0U);
  EXPECT_EQ(database_.count("rides"), 1);
  EXPECT_EQ(send(ride_request(key_)).body, first.body);
}

TEST_F(RidesSpec, RefusesAKeyThatCameWithAnotherPath) {
  ASSERT_EQ(send(ride_request(key_)).status, 201);
  expect_failure(send(deposit_request(kUser, "5").with("Idempotency-Key", key_)), 409,
                 "idempotency_key_reused");
  EXPECT_EQ(database_.count("deposits"), 0);
  const std::string other = new_key();
  ASSERT_EQ(send(deposit_request(kUser, "5").with("Idempotency-Key", other)).status, 201);
  expect_failure(send(ride_request(other)), 409, "idempotency_key_reused");
  EXPECT_EQ(database_.count("rides"), 1);
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

TEST_F(RidesSpec, FailuresAreProblemsWhenAskedFor) {
  const auto response = send(ride_request("short").with("Accept", "application/problem+json"));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.header("content-type"), "application/problem+json");
  const auto problem = json::parse(response.body);
  EXPECT_EQ(problem.at("status"), 400);
  EXPECT_EQ(problem.at("code"), "idempotency_key_invalid");
  EXPECT_TRUE(problem.at("type").is_string());
  EXPECT_TRUE(problem.at("title").is_string());
  EXPECT_TRUE(problem.at("detail").is_string());
  for (const char* target : {"/nothing", "/rides?limit=0"}) {
    EXPECT_EQ(send(get_request(target).with("Accept", "application/problem+json")).header("content-type"),
              "application/problem+json");
  }
  expect_failure(send(ride_request("short").with("Accept", "application/problem+json;q=0")), 400,
                 "idempotency_key_invalid");
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

TEST_F(RidesSpec, KnowsItsPathsAndMethods) {
  for (const char* target :
       {"/nothing", "/rides/", "/rides/1/2", "/Rides", "//rides", "/account/", "/idempotency-keys"}) {
    expect_failure(send(get_request(target)), 404, "not_found");
  }
  const auto allow = [&](const std::string& method, const std::string& target) {
    ClientRequest request = get_request(target);
    request.method = method;
    const auto response = send(request);
    EXPECT_EQ(response.status, 405) << method << ' ' << target;
    return response.header("allow");
  };
  EXPECT_EQ(allow("PUT", "/rides"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("get", "/account"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("PUT", "/rides/1"), "DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("DELETE", "/rides"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("POST", "/account"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("POST", "/healthz"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("POST", "/"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allow("PUT", "/deposits"), "POST, GET, HEAD, OPTIONS");
  ClientRequest patch = get_request("/rides");
  patch.method = "PATCH";
  expect_failure(send(patch), 405, "method_not_allowed");
}

TEST(ReusedKeys, AreRefusedWith422WhenConfiguredSo) {
  TestDatabase database;
  const ApiProcess api(database, {{"KEY_REUSED_STATUS", "422"}});
  const std::string key = new_key();
  ASSERT_EQ(api.send(ride_request(key)).status, 201);
  expect_failure(api.send(ride_request(key, kUser, "origin_lat=0&origin_lon=0&target_lat=0&target_lon=0")),
                 422, "idempotency_key_reused");
}

// The provider takes a minute to answer, so a request runs for as long as a test needs.
class RunningRideSpec : public testing::Test {
 protected:
  RunningRideSpec() {
    connection_.send(ride_request(key_).to_bytes());
    EXPECT_TRUE(eventually([&] {
      return database_.count("idempotency_keys", "recovery_point = 'ride_created' AND lease IS NOT NULL") ==
             1;
    }));
  }

  TestDatabase database_;
  ApiProcess api_{database_,
                  {{"MOCK_LATENCY_MS", "60000"},
                   {"API_LINE_LIMIT", "2"},
                   {"API_CALLER_SHARE", "100"},
                   {"API_ADDRESS_SHARE", "100"},
                   {"API_PROVIDER_SHARE", "100"}}};
  HttpConnection connection_ = api_.connect();
  const std::string key_ = new_key();
};

TEST_F(RunningRideSpec, IsReportedAsInProgress) {
  const auto response = api_.send(ride_request(key_));
  expect_failure(response, 409, "request_in_progress");
  expect_retry_later(response);
  EXPECT_EQ(database_.count("idempotency_keys"), 1);
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

TEST_F(RunningRideSpec, AnotherRequestWithItsKeyIsReuseFirst) {
  const char* other = "origin_lat=0&origin_lon=0&target_lat=0&target_lon=0";
  expect_failure(api_.send(ride_request(key_, kUser, other)), 409, "idempotency_key_reused");
}

TEST_F(RunningRideSpec, IsInProgressForOtherProcessesToo) {
  const ApiProcess other(database_);
  expect_failure(other.send(ride_request(key_)), 409, "request_in_progress");
  EXPECT_EQ(other.send(ride_request(new_key())).status, 201);
}

TEST_F(RunningRideSpec, CanBeAskedAbout) {
  const auto response = api_.send(get_request("/idempotency-keys/" + key_));
  ASSERT_EQ(response.status, 200) << response.body;
  const auto state = json::parse(response.body).at("idempotency_key");
  EXPECT_EQ(state.at("state"), "in_progress");
  EXPECT_EQ(state.at("recovery_point"), "ride_created");
  EXPECT_TRUE(state.at("response").is_null());
}

TEST_F(RunningRideSpec, FillsTheLine) {
  HttpConnection second = api_.connect();
  second.send(ride_request(new_key()).to_bytes());
  ASSERT_TRUE(eventually([&] { return database_.count("rides") == 2; }));
  const std::string key = new_key();
  const auto response = api_.send(ride_request(key));
  expect_failure(response, 503, "overloaded");
  expect_retry_later(response);
  EXPECT_EQ(database_.count("idempotency_keys"), 2);
  EXPECT_EQ(api_.send(get_request("/healthz")).status, 200);
  EXPECT_EQ(api_.send(get_request("/readyz")).status, 200);
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
