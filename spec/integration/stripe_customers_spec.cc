#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "spec/support/api_process.h"
#include "spec/support/paths.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// What bin/setup does when charges are made at Stripe.
namespace rocket::spec {
namespace {

int run_setup(const TestDatabase& database, const PaymentProvider& provider, const std::string& key) {
  const std::string command = "DATABASE_URL='" + database.url() + "' STRIPE_API_BASE=" + provider.url() +
                              " STRIPE_API_KEY=" + key + " '" + source_dir() +
                              "/bin/support/stripe-customers' >/dev/null 2>&1";
  return std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe)
}

TEST(StripeCustomers, AreMadeOnceAndCharged) {
  TestDatabase database;
  const PaymentProvider provider;
  EXPECT_NE(run_setup(database, provider, "sk_of_somebody_else"), 0);
  EXPECT_EQ(database.count("users", "stripe_customer_id IN ('cus_user', 'cus_user_bad_source')"), 2);

  ASSERT_EQ(run_setup(database, provider, PaymentProvider::kApiKey), 0);
  const auto customers = database.rows("SELECT stripe_customer_id FROM users ORDER BY id");
  EXPECT_EQ(database.count("users", "stripe_customer_id IN ('cus_user', 'cus_user_bad_source')"), 0);
  const ApiProcess api(database, provider.environment());
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
  EXPECT_EQ(api.send(ride_request(new_key(), kDeclinedUser)).status, 402);

  ASSERT_EQ(run_setup(database, provider, PaymentProvider::kApiKey), 0);
  EXPECT_EQ(database.rows("SELECT stripe_customer_id FROM users ORDER BY id"), customers);

  // Another database with the same account at Stripe.
  TestDatabase other;
  ASSERT_EQ(run_setup(other, provider, PaymentProvider::kApiKey), 0);
  EXPECT_EQ(other.rows("SELECT stripe_customer_id FROM users ORDER BY id"), customers);
}

}  // namespace
}  // namespace rocket::spec
