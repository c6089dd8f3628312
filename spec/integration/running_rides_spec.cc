#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"

// What others are told while a ride's request is at work.
namespace rocket::spec {
namespace {

using nlohmann::json;

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

}  // namespace
}  // namespace rocket::spec
