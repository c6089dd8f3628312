#include <gtest/gtest.h>

#include <string>

#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// Processes look up a name while the name servers are silent, for longer than any time limit that we promise.
namespace rocket::spec {
namespace {

class SilentNames : public testing::Test {
 protected:
  Environment with(const Environment& more) const {
    Environment all{{"DATABASE_URL", database_.url()}, {"LD_PRELOAD", SPEC_NAME_SERVER}};
    all.insert(more.begin(), more.end());
    return all;
  }
  Environment with_provider(Environment more) const {
    more.insert({{"CHARGE_GATEWAY", "stripe"},
                 {"STRIPE_API_KEY", PaymentProvider::kApiKey},
                 {"STRIPE_API_BASE", "https://provider.silent.test"}});
    return with(more);
  }

  TestDatabase database_;
};

TEST_F(SilentNames, OfTheProviderHoldUpNobody) {
  ApiProcess api(database_, with_provider({{"STRIPE_CONNECT_TIMEOUT_MS", "200"},
                                           {"STRIPE_TIMEOUT_MS", "1000"},
                                           {"STRIPE_TOTAL_TIMEOUT_MS", "1000"},
                                           {"DATABASE_LANES", "1"}}));
  HttpConnection ride = api.connect();
  ride.send(ride_request(new_key()).to_bytes());
  api.process().wait_for_line("looking up provider.silent.test");
  EXPECT_EQ(api.send(deposit_request(kUser, "5")).status, 201);
  EXPECT_EQ(ride.receive().code(), "payment_unavailable");
  EXPECT_EQ(api.send(deposit_request(kUser, "5")).status, 201);
  expect_good_end(api.process());
}

TEST_F(SilentNames, OfTheProviderDelayNoEnd) {
  ApiProcess api(database_, with_provider({{"STRIPE_CONNECT_TIMEOUT_MS", "60000"},
                                           {"STRIPE_TIMEOUT_MS", "60000"},
                                           {"STRIPE_TOTAL_TIMEOUT_MS", "60000"}}));
  HttpConnection ride = api.connect();
  ride.send(ride_request(new_key()).to_bytes());
  api.process().wait_for_line("looking up provider.silent.test");
  expect_good_end(api.process());
}

TEST_F(SilentNames, OfTheApiDelayNoEndOfTheSimulator) {
  const ChildProcess simulator("simulator", with({{"API_URL", "http://api.silent.test"}}));
  simulator.wait_for_line("looking up api.silent.test");
  expect_good_end(simulator);
}

class SilentNamesOfBrokers : public SilentNames, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Kinds, SilentNamesOfBrokers, testing::Values("redis", "amqp"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(SilentNamesOfBrokers, DelayNoEnd) {
  const std::string queue = std::string(GetParam()) + "://queue.silent.test";
  const ChildProcess enqueuer("enqueuer", with({{"JOB_QUEUE", queue}, {"JOB_QUEUE_ALLOW_PLAINTEXT", "on"}}));
  database_.execute("INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}')");
  enqueuer.wait_for_line("looking up queue.silent.test");
  expect_good_end(enqueuer);
}

}  // namespace
}  // namespace rocket::spec
