#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// Another session holds a lock for much longer than a request can wait.
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
  ApiProcess api_{database_, {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger_.path()}}};
};

TEST_F(LockedTable, OfRidesRefusesRidesAndLetsDepositsPass) {
  Traffic rides({api_.port()}, 16);
  Traffic deposits({api_.port()}, 4, [](const std::string& key) {
    return deposit_request(kDeclinedUser, "1").with("Idempotency-Key", key);
  });
  ASSERT_TRUE(eventually([&] { return rides.done() > 100 && deposits.done() > 20; }));

  expect_in_time([&] {
    rides.take_slowest_attempt();
    lock("rides");
    const auto begin = Clock::now();
    const int rides_before = rides.done();
    const int deposits_before = deposits.done();
    const ClientResponse refused = api_.send(ride_request(new_key()));
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_EQ(refused.code(), "database_unavailable");
    EXPECT_NE(refused.header("retry-after"), "");
    std::this_thread::sleep_until(begin + std::chrono::seconds(4));
    const int deposits_meanwhile = deposits.done() - deposits_before;
    // Only rides that had used the table before the lock could end.
    EXPECT_LE(rides.done() - rides_before, 16);
    EXPECT_GE(deposits_meanwhile, 8) << "they should wait for a lane for a moment only";
    EXPECT_TRUE(rides.feels_it());
    unlock();
    return felt_by(rides);
  });
  rides.end();
  deposits.end();
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
  expect_in_time([&] {
    rides.take_slowest_attempt();
    lock("idempotency_keys");
    std::this_thread::sleep_for(std::chrono::seconds(3));
    EXPECT_EQ(api_.send(get_request("/healthz")).status, 200);
    EXPECT_TRUE(rides.feels_it());
    unlock();
    return felt_by(rides);
  });
  rides.end();
  EXPECT_LT(rides.slowest_attempt(), kAnswersWithin);
  SqlSession session = database_.open_session();
  expect_same_bytes(session, rides.rides());
  expect_one_effect_per_key(session, ledger_, rides.done());
}

// The lock outlasts the leases in the middle of charges. The holders can neither record their charges nor
// release their keys in time. All processes go on afterwards, and each request takes effect once although its
// key changes hands.
TEST(LockedTables, OutlastLeases) {
  TestDatabase database;
  Ledger ledger;
  const Environment provider{
      kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}, {"MOCK_LATENCY_MS", "30"}};
  Environment eager = provider;
  eager.insert({{"DATABASE_URL", database.url()},
                {"COMPLETER_GRACE_S", "0"},
                {"COMPLETER_PAUSE_S", "0"},
                {"COMPLETER_IDLE_MS", "50"},
                {"REAPER_IDLE_MS", "50"}});
  const ApiProcess api(database, provider);
  const ChildProcess completer("completer", eager);
  const ChildProcess enqueuer("enqueuer", eager);
  const ChildProcess reaper("reaper", eager);
  Traffic rides({api.port()}, 16);
  ASSERT_TRUE(rides.goes_on(100));

  SqlSession locker = database.open_session();
  ASSERT_TRUE(eventually([&] {
    locker.execute("BEGIN; LOCK TABLE idempotency_keys, staged_jobs IN ACCESS EXCLUSIVE MODE");
    if (locker.number("SELECT count(*) FROM idempotency_keys WHERE lease IS NOT NULL") > 0) return true;
    locker.execute("ROLLBACK");
    return false;
  })) << "a charge should be under way";
  for (const ChildProcess* each : {&completer, &enqueuer, &reaper}) {
    EXPECT_NO_THROW(each->wait_for_line("cannot work"));
  }
  // The lock ends and the leases run out at the same moment.
  locker.execute("UPDATE idempotency_keys SET locked_at = now() - interval '1 hour' WHERE lease IS NOT NULL");
  locker.execute(
      "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
      "request_params, created_at, last_run_at, recovery_point, finished_at, response_code, response_body) "
      "VALUES (gen_random_uuid(), 1, 'finished-key-0000000', 'POST', '/rides', '{}', now() - interval '80 "
      "hours', now() - interval '80 hours', 'finished', now() - interval '80 hours', 201, '{}')");
  EXPECT_TRUE(rides.feels_it());
  locker.execute("COMMIT");
  EXPECT_LT(rides.until_done(), kServesWithin);
  ASSERT_TRUE(rides.goes_on(100));
  rides.end();

  EXPECT_LT(rides.slowest_attempt(), kAnswersWithin);
  EXPECT_TRUE(eventually([&] {
    return database.count("idempotency_keys", "idempotency_key LIKE 'finished%'") == 0;
  })) << reaper.output();
  EXPECT_TRUE(eventually([&] { return database.count("staged_jobs") == 0; })) << enqueuer.output();
  EXPECT_NO_THROW(completer.wait_for_line("working again"));
  expect_same_bytes(locker, rides.rides());
  expect_one_effect_per_key(locker, ledger, rides.done(), Receipts::kDelivered);
  expect_receipts_delivered(enqueuer, rides.done());
}

// Rides that share a batch. One of them cannot lock its row.
TEST(LockedRow, HurtsOnlyItsOwnKey) {
  constexpr std::size_t kRides = 20;
  TestDatabase database;
  EngineRig rig(database.url(), RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}},
                pg::ConnectionOptions{}.transaction_timeout);
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
