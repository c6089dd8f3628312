#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "spec/integration/cancellations_fixture.h"
#include "spec/integration/expectations.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/http_client.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// Cancellations whose refund the provider does not simply make: it is away, its answer is lost, or it
// refuses.
namespace rocket::spec {
namespace {

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
