#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <future>
#include <limits>
#include <string>
#include <vector>

#include "spec/support/cutting_proxy.h"
#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"

// The connection to the database is cut at each message of the protocol that two batches need: before BEGIN,
// between and within statements, before COMMIT, while the commit is under way, and before each answer.
namespace rocket::spec {
namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

class CutAtEachMessage : public testing::TestWithParam<CuttingProxy::To> {
 protected:
  // Rides that travel together.
  std::vector<std::string> ride(std::size_t count) {
    std::vector<std::future<idempotency::Outcome>> attempts;
    {
      const Pause together(rig_.lane());
      for (std::size_t i = 0; i < count; ++i) attempts.push_back(rig_.start(engine_ride(new_key())));
    }
    std::vector<std::string> outcomes;
    for (auto& attempt : attempts) outcomes.push_back(describe(answer_of(attempt)));
    return outcomes;
  }

  TestDatabase database_;
  CuttingProxy proxy_{database_.url()};
  EngineRig rig_{proxy_.url(), RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}}};
};

TEST_P(CutAtEachMessage, EveryRideIsMadeOnce) {
  constexpr std::size_t kRides = 3;
  const std::vector<std::string> all_made(kRides, "201");
  // Statements are prepared with the first rides, and need fewer messages then.
  ASSERT_EQ(ride(kRides), all_made);
  proxy_.cut_after(GetParam(), kNever);
  ASSERT_EQ(ride(kRides), all_made);
  const std::size_t messages = proxy_.passed(GetParam());
  ASSERT_GT(messages, 20U);

  for (std::size_t passed = 0; passed < messages; ++passed) {
    SCOPED_TRACE("cut after " + std::to_string(passed) + " of " + std::to_string(messages) + " messages");
    proxy_.cut_after(GetParam(), passed);
    // The engine finds out by itself how far it got, and goes on.
    EXPECT_EQ(ride(kRides), all_made);
    EXPECT_TRUE(proxy_.has_acted());
    // The lane is whole again, with its statements prepared.
    EXPECT_EQ(ride(kRides), all_made);
  }
  const auto made = static_cast<std::int64_t>(kRides * (2 + 2 * messages));
  EXPECT_EQ(database_.count("rides", "stripe_charge_id IS NOT NULL"), made);
  EXPECT_EQ(database_.count("staged_jobs"), made);
  EXPECT_EQ(database_.count("audit_records"), made);
  EXPECT_EQ(database_.count("idempotency_keys", "finished_at IS NOT NULL"), made);
  EXPECT_EQ(rig_.gateway().charges().size(), static_cast<std::size_t>(made));
}

INSTANTIATE_TEST_SUITE_P(Going, CutAtEachMessage,
                         testing::Values(CuttingProxy::To::kServer, CuttingProxy::To::kClient),
                         [](const auto& each) {
                           return each.param == CuttingProxy::To::kServer ? "ToServer" : "ToClient";
                         });

// The server may still be at work on what the connection was cut from, however long that takes.
TEST(CommitInDoubt, WhatIsUnderWayCanWriteNothingOnceTheAttemptGoesOn) {
  TestDatabase database;
  CuttingProxy proxy(database.url());
  EngineRig rig(proxy.url(), RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
  const std::string key = new_key();
  std::vector<std::string> tokens;
  std::vector<std::int64_t> written;
  rig.gateway().on_charge([&](const payments::ChargeRequest&) {
    tokens.push_back(database.of_key(key, "lease"));
    if (tokens.size() == 1) proxy.cut_after(CuttingProxy::To::kServer, 1);
    // As what was cut off would write, if it arrived now.
    written.push_back(database.execute(
        "UPDATE idempotency_keys SET last_error = 'late' WHERE lease = $1::uuid", {tokens[0]}));
  });
  EXPECT_EQ(describe(rig.run(engine_ride(key))), "201");
  EXPECT_TRUE(proxy.has_acted());
  EXPECT_EQ(written, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(database.count("rides"), 1);
  EXPECT_EQ(database.count("staged_jobs"), 1);
}

}  // namespace
}  // namespace rocket::spec
