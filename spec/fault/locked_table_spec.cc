#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/support/ledger.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// Somebody holds a lock for much longer than a request can wait.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;

class LockedTable : public testing::Test {
 protected:
  void lock(const std::string& table) {
    locker_.execute("BEGIN; LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE");
  }
  void unlock() { locker_.execute("COMMIT"); }

  TestDatabase database_;
  SqlSession locker_ = database_.open_session();
  Ledger ledger_;
  ApiProcess api_{database_, {{"MOCK_LEDGER", ledger_.path()}}};
};

TEST_F(LockedTable, OfRidesRefusesRidesAndLetsDepositsPass) {
  Traffic rides({api_.port()}, 16);
  Traffic deposits({api_.port()}, 4, [](const std::string& key) {
    return deposit_request(kDeclinedUser, "1").with("Idempotency-Key", key);
  });
  ASSERT_TRUE(eventually([&] { return rides.done() > 100 && deposits.done() > 20; }));

  lock("rides");
  const auto begin = Clock::now();
  const int rides_before = rides.done();
  const int deposits_before = deposits.done();
  const ClientResponse refused = api_.send(ride_request(new_key()));
  EXPECT_LT(Clock::now() - begin, kAnswersWithin);
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.code(), "database_unavailable");
  EXPECT_NE(refused.header("retry-after"), "");
  std::this_thread::sleep_until(begin + std::chrono::seconds(4));
  const int deposits_meanwhile = deposits.done() - deposits_before;
  // Only those that had passed the table before it was locked.
  EXPECT_LE(rides.done() - rides_before, 16);
  EXPECT_GE(deposits_meanwhile, 8) << "they should wait for a lane for a moment only";

  unlock();
  const int before = rides.done();
  EXPECT_TRUE(eventually([&] { return rides.done() > before; }, kServesWithin));
  rides.end();
  deposits.end();
  EXPECT_GE(rides.retried(), 16);
  EXPECT_LT(rides.slowest_attempt(), kAnswersWithin);
  EXPECT_LT(deposits.slowest_attempt(), kAnswersWithin);
  SqlSession session = database_.open_session();
  expect_same_bytes(session, rides.rides());
  expect_same_bytes(session, deposits.rides());
  EXPECT_EQ(database_.number("SELECT balance FROM accounts"), deposits.done());
  database_.execute("DELETE FROM idempotency_keys WHERE request_path = '/deposits'");
  database_.execute("DELETE FROM audit_records WHERE resource_type = 'deposit'");
  expect_one_effect_per_key(session, ledger_, rides.done());
  EXPECT_EQ(api_.process().output().find(" error "), std::string::npos) << "nobody has to look at this";
}

TEST_F(LockedTable, OfKeysRefusesEverythingInTimeAndLeavesNoBacklog) {
  Traffic rides({api_.port()}, 24);
  ASSERT_TRUE(eventually([&] { return rides.done() > 100; }));
  lock("idempotency_keys");
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(api_.send(get_request("/healthz")).status, 200);
  unlock();
  const int before = rides.done();
  EXPECT_TRUE(eventually([&] { return rides.done() > before; }, kServesWithin));
  rides.end();
  EXPECT_GE(rides.retried(), 24);
  EXPECT_LT(rides.slowest_attempt(), kAnswersWithin);
  SqlSession session = database_.open_session();
  expect_same_bytes(session, rides.rides());
  expect_one_effect_per_key(session, ledger_, rides.done());
}

// Rides that travel together, one of which cannot have its row.
TEST(LockedRow, HurtsOnlyItsOwnKey) {
  constexpr std::size_t kRides = 20;
  TestDatabase database;
  EngineRig rig(database, RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kRides; ++i) keys.push_back(new_key());
  ASSERT_EQ(describe(rig.run(engine_ride(keys[0]))), "201");
  database.execute(
      "UPDATE idempotency_keys SET finished_at = NULL, recovery_point = 'started', response_code = NULL, "
      "response_body = NULL");
  SqlSession locker = database.open_session();
  locker.execute("BEGIN; SELECT 1 FROM idempotency_keys FOR UPDATE");
  std::vector<std::future<idempotency::Outcome>> attempts;
  {
    const Pause together(rig.lane());
    for (const std::string& key : keys) attempts.push_back(rig.start(engine_ride(key)));
  }
  EXPECT_EQ(describe(answer_of(attempts[0])), "database_unavailable");
  for (std::size_t i = 1; i < kRides; ++i) EXPECT_EQ(describe(answer_of(attempts[i])), "201");
}

}  // namespace
}  // namespace rocket::spec
