#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/integration/rides_fixture.h"

// What POST /rides refuses before a ride begins, and which paths and methods the api refuses.
namespace rocket::spec {
namespace {

using nlohmann::json;

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

TEST(ReusedKeys, AreRefusedWith422WhenConfiguredSo) {
  TestDatabase database;
  const ApiProcess api(database, {{"KEY_REUSED_STATUS", "422"}});
  const std::string key = new_key();
  ASSERT_EQ(api.send(ride_request(key)).status, 201);
  expect_failure(api.send(ride_request(key, kUser, "origin_lat=0&origin_lon=0&target_lat=0&target_lon=0")),
                 422, "idempotency_key_reused");
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

}  // namespace
}  // namespace rocket::spec
