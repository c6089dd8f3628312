#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// DELETE /rides/{id}. Whatever keys are used, a ride's charge is refunded once.
namespace rocket::spec {
namespace {

using nlohmann::json;

class CancellationSpec : public testing::Test {
 protected:
  static ClientRequest cancel(const std::string& ride_id, const std::string& key,
                              const std::string& user = kUser) {
    return cancel_request(ride_id, user).with("Idempotency-Key", key);
  }
  ClientResponse send(const ClientRequest& request) const { return api_.send(request); }
  // Books a ride and returns its id.
  std::string ride(const std::string& key = new_key()) const {
    const auto response = send(ride_request(key));
    EXPECT_EQ(response.status, 201) << response.body;
    return json::parse(response.body).at("ride").at("id").dump();
  }
  std::string state_of(const std::string& ride_id) const {
    return json::parse(send(get_request("/rides/" + ride_id)).body).at("ride").at("state").get<std::string>();
  }
  // Sends the request while the provider gives no definite answer, either with or without having refunded.
  void lose_the_answer(const ClientRequest& request, bool refunded) const {
    provider_.fail(std::string("kind=status&status=500&should_retry=false&charged=") +
                   (refunded ? "true" : "false"));
    const auto response = send(request);
    expect_failure(response, 503, "payment_unavailable");
    expect_retry_later(response);
  }
  std::size_t refund_attempts() const { return provider_.ledger()["refund_attempts"].size(); }
  std::int64_t cancellation_keys() {
    return database_.count("idempotency_keys", "request_method = 'DELETE'");
  }

  void expect_one_refund(const std::string& ride_id) {
    const json refunds = provider_.ledger()["refunds"];
    ASSERT_EQ(refunds.size(), 1U) << refunds;
    EXPECT_EQ(refunds[0]["charge"], database_.value("SELECT stripe_charge_id FROM rides"));
    EXPECT_EQ(refunds[0]["amount"], 2000);
    EXPECT_EQ(refunds[0]["id"], database_.value("SELECT stripe_refund_id FROM refunds"));
    EXPECT_EQ(database_.value("SELECT ride_id FROM refunds"), ride_id);
    EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 1);
    EXPECT_EQ(database_.value("SELECT job_args->>'ride_id' FROM staged_jobs WHERE job_name LIKE '%refund%'"),
              ride_id);
    EXPECT_EQ(database_.count("audit_records", "action = 'cancelled' AND resource_type = 'ride'"), 1);
    EXPECT_EQ(state_of(ride_id), "cancelled");
  }
  void expect_nothing_done() {
    EXPECT_EQ(cancellation_keys(), 0);
    EXPECT_EQ(database_.count("refunds"), 0);
    EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 0);
    EXPECT_EQ(database_.count("audit_records", "action = 'cancelled'"), 0);
    EXPECT_EQ(refund_attempts(), 0U);
  }

  TestDatabase database_;
  PaymentProvider provider_;
  ApiProcess api_{database_, provider_.environment()};
  const std::string key_ = new_key();
};

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

TEST_F(CancellationSpec, SaysThatTheProviderIsAwayAndLeavesTheKeyToRetry) {
  const std::string id = ride();
  lose_the_answer(cancel(id, key_), false);
  EXPECT_EQ(database_.of_key(key_, "recovery_point"), "refund_prepared");
  EXPECT_EQ(database_.of_key(key_, "lease"), "NULL");
  EXPECT_EQ(database_.of_key(key_, "response_code"), "NULL");
  EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 0);
  EXPECT_EQ(state_of(id), "cancelling");
  EXPECT_EQ(send(cancel(id, key_)).status, 200);
  expect_one_refund(id);
}

TEST_F(CancellationSpec, WhoseAnswerWasLostIsTakenUpByAnyKey) {
  const std::string id = ride();
  lose_the_answer(cancel(id, key_), true);
  const auto other = send(cancel_request(id));
  EXPECT_EQ(other.status, 200) << other.body;
  const auto first = send(cancel(id, key_));
  EXPECT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(first.body, other.body);
  expect_one_refund(id);
}

TEST_F(CancellationSpec, WithoutAKeyIsFinishedByTheCompleter) {
  const std::string id = ride();
  lose_the_answer(cancel_request(id), true);
  database_.execute(
      "UPDATE idempotency_keys SET created_at = now() - interval '1 hour', "
      "last_run_at = now() - interval '1 hour' WHERE finished_at IS NULL");
  Environment all = provider_.environment();
  all.insert({{"DATABASE_URL", database_.url()}, {"COMPLETER_IDLE_MS", "20"}});
  const ChildProcess completer("completer", all);
  EXPECT_TRUE(eventually([&] { return database_.count("idempotency_keys", "finished_at IS NULL") == 0; }))
      << completer.output();
  expect_one_refund(id);
}

TEST_F(CancellationSpec, IsRejectedForGood) {
  const std::string id = ride();
  database_.execute("UPDATE rides SET stripe_charge_id = 'ch_that_is_gone'");
  const auto first = send(cancel(id, key_));
  expect_failure(first, 503, "payment_rejected");
  const auto again = send(cancel(id, key_));
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
  EXPECT_EQ(refund_attempts(), 1U);
  EXPECT_EQ(state_of(id), "cancelling");
}

// For example, a person has refunded the charge at the provider.
TEST_F(CancellationSpec, OfAChargeThatIsRefundedAlreadyIsDone) {
  const std::string id = ride();
  const std::string charge = database_.value("SELECT stripe_charge_id FROM rides");
  exchange(provider_.port(), {"POST",
                              "/v1/refunds",
                              {{"Authorization", std::string("Bearer ") + PaymentProvider::kApiKey}},
                              "charge=" + charge});
  const auto response = send(cancel(id, key_));
  EXPECT_EQ(response.status, 200) << response.body;
  expect_one_refund(id);
}

TEST_F(CancellationSpec, IsLookedUpWhenTheProviderMayHaveForgottenItsKey) {
  const std::string id = ride();
  lose_the_answer(cancel(id, key_), true);
  provider_.forget_keys();
  database_.execute("UPDATE refunds SET created_at = now() - interval '21 hours'");
  const std::size_t before = refund_attempts();

  lose_the_answer(cancel(id, key_), false);
  EXPECT_EQ(send(cancel(id, key_)).status, 200);
  EXPECT_EQ(refund_attempts(), before) << "it is never repeated blindly";
  expect_one_refund(id);
}

TEST_F(CancellationSpec, IsRepeatedWhenTheProviderHasNeverHeardOfIt) {
  const std::string id = ride();
  lose_the_answer(cancel(id, key_), false);
  provider_.forget_keys();
  database_.execute("UPDATE refunds SET created_at = now() - interval '21 hours'");
  EXPECT_EQ(send(cancel(id, key_)).status, 200);
  expect_one_refund(id);
}

}  // namespace
}  // namespace rocket::spec
