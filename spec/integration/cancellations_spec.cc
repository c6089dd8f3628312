#include <gtest/gtest.h>

#include <string>

#include "spec/integration/cancellations_fixture.h"
#include "spec/integration/expectations.h"
#include "spec/support/requests.h"

// DELETE /rides/{id}. Whatever keys are used, a ride's charge is refunded once. cancellation_refunds_spec.cc
// has what the provider may do.
namespace rocket::spec {
namespace {

TEST_F(CancellationSpec, RefundsTheRide) {
  const auto created = send(ride_request(new_key()));
  const auto ride = json::parse(created.body).at("ride");
  const auto response = send(cancel(ride.at("id").dump(), key_));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.count("idempotent-replayed"), 0U);
  const auto cancelled = json::parse(response.body).at("ride");
  for (const auto& [name, value] : ride.items()) EXPECT_EQ(cancelled.at(name), value) << name;
  EXPECT_EQ(cancelled.at("state"), "cancelled");
  EXPECT_EQ(cancelled.at("stripe_refund_id"), database_.value("SELECT stripe_refund_id FROM refunds"));
  EXPECT_TRUE(cancelled.at("cancelled_at").is_string());
  expect_one_refund(ride.at("id").dump());
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "finished");
  EXPECT_EQ(database_.of_key(key_, "response_code"), "200");
  EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
  EXPECT_EQ(database_.value("SELECT host(origin_ip) FROM audit_records WHERE action = 'cancelled'"),
            "127.0.0.1");
}

TEST_F(CancellationSpec, ReplaysTheSameBytes) {
  const std::string id = ride();
  const auto first = send(cancel(id, key_));
  ASSERT_EQ(first.status, 200);
  for (int i = 0; i < 2; ++i) {
    const auto again = send(cancel(id, key_));
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("idempotent-replayed"), "true");
  }
  expect_one_refund(id);
}

// Cancelling is idempotent by itself.
TEST_F(CancellationSpec, GivesEveryOtherKeyAndNoneTheSameRide) {
  const std::string id = ride();
  const auto first = send(cancel_request(id));
  ASSERT_EQ(first.status, 200) << first.body;
  for (const auto& request : {cancel_request(id), cancel(id, key_), cancel(id, new_key())}) {
    const auto again = send(request);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.count("idempotent-replayed"), 0U) << "this key has not been answered before";
  }
  EXPECT_EQ(refund_attempts(), 1U);
  expect_one_refund(id);
}

TEST_F(CancellationSpec, ShowsNobodyElsesRide) {
  const std::string id = ride();
  const auto others = send(cancel(id, key_, kDeclinedUser));
  expect_failure(others, 404, "ride_not_found");
  // The answer is the same as for GET, and the same as for a ride that never existed.
  EXPECT_EQ(others.body, send(get_request("/rides/" + id, kDeclinedUser)).body);
  EXPECT_EQ(others.body, send(cancel_request("4711", kDeclinedUser)).body);
  EXPECT_EQ(others.count("retry-after"), 0U);
  for (const char* odd : {"0", "-1", "abc", "1x", "9223372036854775808", "%zz", "1%27", "%20"}) {
    expect_failure(send(cancel_request(odd)), 404, "ride_not_found");
  }
  expect_nothing_done();
  EXPECT_EQ(state_of(id), "charged");
}

TEST_F(CancellationSpec, HasNothingToRefundWhenTheCardWasDeclined) {
  send(ride_request(new_key(), kDeclinedUser));
  const std::string id = database_.value("SELECT id FROM rides");
  const auto response = send(cancel(id, key_, kDeclinedUser));
  expect_failure(response, 409, "ride_not_charged");
  EXPECT_EQ(response.count("retry-after"), 0U);
  expect_failure(send(cancel_request(id, kDeclinedUser)), 409, "ride_not_charged");
  // Keys are removed later. The ride still has the state.
  database_.execute("DELETE FROM idempotency_keys");
  expect_failure(send(cancel_request(id, kDeclinedUser)), 409, "ride_not_charged");
  expect_nothing_done();
}

TEST_F(CancellationSpec, WaitsForTheRidesOwnRequest) {
  const std::string riding = new_key();
  send(ride_request(riding, kUser, std::string(kRideForm) + "&raise_error=true"));
  const std::string id = database_.value("SELECT id FROM rides");
  for (const char* meanwhile :
       {"last_error = NULL", "lease = gen_random_uuid(), locked_at = now()",
        "lease = NULL, locked_at = NULL, parked_at = now(), last_error = 'the charge is in doubt'"}) {
    database_.execute(std::string("UPDATE idempotency_keys SET ") + meanwhile);
    const auto response = send(cancel(id, key_));
    expect_failure(response, 409, "ride_unfinished");
    expect_retry_later(response);
    expect_failure(send(cancel_request(id)), 409, "ride_unfinished");
  }
  expect_nothing_done();

  database_.execute("UPDATE idempotency_keys SET parked_at = NULL");
  EXPECT_EQ(send(ride_request(riding)).status, 201);
  const auto cancelled = send(cancel(id, key_));
  EXPECT_EQ(cancelled.status, 200) << "the key was left free: " << cancelled.body;
  expect_one_refund(id);
}

TEST_F(CancellationSpec, CancelsARideWhoseKeyIsGone) {
  const std::string id = ride();
  database_.execute("DELETE FROM idempotency_keys");
  EXPECT_EQ(send(cancel(id, key_)).status, 200);
  database_.execute("DELETE FROM idempotency_keys");
  EXPECT_EQ(send(cancel(id, key_)).status, 200);
  expect_one_refund(id);
}

TEST_F(CancellationSpec, ChecksCredentialsThenKeyThenBody) {
  const std::string id = ride();
  const ClientRequest request{"DELETE", "/rides/" + id, {{"Content-Type", "text/plain"}}, "nonsense"};
  expect_failure(send(request.with("Idempotency-Key", "short")), 401, "credentials_missing");
  expect_failure(send(request.with("Authorization", "stranger@example.com")), 401, "credentials_invalid");
  const ClientRequest known = request.with("Authorization", kUser);
  expect_failure(send(known.with("Idempotency-Key", "short")), 400, "idempotency_key_invalid");
  expect_failure(send(known), 415, "body_type_unsupported");
  ClientRequest form = cancel(id, key_).with("Content-Type", "application/x-www-form-urlencoded");
  form.body = "raise_error=maybe";
  expect_failure(send(form), 422, "parameter_invalid");
  expect_nothing_done();
}

TEST_F(CancellationSpec, HonoursTheKeyAsEveryOtherVerbDoes) {
  const std::string riding = new_key();
  const std::string one = ride(riding);
  const std::string two = ride();
  expect_failure(send(cancel(one, riding)), 409, "idempotency_key_reused");
  expect_failure(send(cancel(one, key_).with("Idempotency-Key", key_)), 400, "idempotency_key_invalid");
  const auto first = send(cancel(one, '"' + key_ + '"'));
  EXPECT_EQ(first.status, 200);
  expect_failure(send(cancel(two, key_)), 409, "idempotency_key_reused");
  expect_failure(send(deposit_request(kUser, "5").with("Idempotency-Key", key_)), 409,
                 "idempotency_key_reused");
  EXPECT_EQ(state_of(two), "charged");
  // The same path, with a percent-encoded digit.
  const auto again = send(cancel("%3" + one, key_));
  EXPECT_EQ(again.header("idempotent-replayed"), "true") << again.body;
  EXPECT_EQ(again.body, first.body);

  const auto key = json::parse(send(get_request("/idempotency-keys/" + key_)).body).at("idempotency_key");
  EXPECT_EQ(key.at("request_method"), "DELETE");
  EXPECT_EQ(key.at("request_path"), "/rides/" + one);
  EXPECT_EQ(key.at("state"), "finished");
  EXPECT_EQ(key.at("response").at("status"), 200);
}

TEST_F(CancellationSpec, RefusalsAreProblemsWhenAskedFor) {
  const auto response = send(cancel_request("4711").with("Accept", "application/problem+json"));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.header("content-type"), "application/problem+json");
  EXPECT_EQ(response.code(), "ride_not_found");
}

TEST_F(CancellationSpec, FailsOnceWhenAskedToRaiseAnError) {
  const std::string id = ride();
  ClientRequest failing = cancel(id, key_).with("Content-Type", "application/json");
  failing.body = R"({"raise_error": true})";
  expect_failure(send(failing), 500, "internal");
  EXPECT_EQ(refund_attempts(), 0U);
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "refund_prepared");
  EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
  EXPECT_EQ(send(cancel(id, key_)).status, 200);
  expect_one_refund(id);
}

}  // namespace
}  // namespace rocket::spec
