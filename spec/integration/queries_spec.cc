#include <gtest/gtest.h>

#include <string>

#include "spec/integration/expectations.h"
#include "spec/integration/queries_fixture.h"
#include "spec/support/requests.h"

// GET /rides/{id} and GET /idempotency-keys/{key}.
namespace rocket::spec {
namespace {

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

}  // namespace
}  // namespace rocket::spec
