#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"

// Processes on a machine whose clock is wrong by a day. Only the database's clock may count.
namespace rocket::spec {
namespace {

class HeavyWallClock : public testing::TestWithParam<int> {
 protected:
  Environment right(const Environment& more = {}) const {
    Environment all{{"DATABASE_URL", database_.url()}, {"MOCK_LEDGER", ledger_.path()}};
    all.insert(more.begin(), more.end());
    return all;
  }
  Environment wrong(const Environment& more = {}) const {
    Environment all = right(more);
    all.insert({{"LD_PRELOAD", SPEC_WALL_CLOCK}, {"WALL_CLOCK_SHIFT_S", std::to_string(GetParam())}});
    return all;
  }
  // Checks the time at the beginning of this log line.
  void expect_wrong_clock(const std::string& line) {
    const std::int64_t ahead =
        database_.number("SELECT extract(epoch FROM $1::timestamptz - now())::bigint", {line.substr(0, 24)});
    EXPECT_LT(std::abs(ahead - GetParam()), 600) << line;
  }
  void expect_one_effect(std::int64_t rides) {
    SqlSession session = database_.open_session();
    expect_one_effect_per_key(session, ledger_, rides);
  }
  // One process holds a key. Another is asked for it before the lease is over, and again after that.
  void expect_one_lease(Environment holding, const Environment& asked) {
    holding["MOCK_LATENCY_MS"] = "60000";
    const ApiProcess holder(database_, holding);
    const ApiProcess other(database_, asked);
    const std::string key = new_key();
    const std::size_t calls = ledger_.calls().size();
    HttpConnection connection = holder.connect();
    connection.send(ride_request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return ledger_.calls().size() > calls; }));
    EXPECT_EQ(other.send(ride_request(key)).code(), "request_in_progress");
    database_.pass_lease(key);
    EXPECT_EQ(other.send(ride_request(key)).status, 201);
  }
  // Makes a key that was abandoned `age` ago, with a lease of `lease_age` if that is given. Uses one
  // statement, because a running completer takes the key as soon as it sees it.
  std::string abandon(const std::string& age, const std::string& lease_age = {}) {
    std::string key = new_key();
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params, created_at, last_run_at, lease, locked_at) SELECT gen_random_uuid(), id, $1, "
        "'POST', "
        "'/rides', $2::jsonb, now() - $3::interval, now() - $3::interval, CASE WHEN $5 <> '' THEN "
        "gen_random_uuid() END, now() - nullif($5, '')::interval FROM users WHERE email = $4",
        {key, engine_ride(key).params, age, kUser, lease_age});
    return key;
  }

  TestDatabase database_;
  Ledger ledger_;
};

INSTANTIATE_TEST_SUITE_P(Wrong, HeavyWallClock, testing::Values(86'400, -86'400),
                         [](const auto& each) { return each.param > 0 ? "ADayAhead" : "ADayBehind"; });

TEST_P(HeavyWallClock, EndsNoLeaseAndKeepsNone) {
  expect_one_lease(right(), wrong());
  expect_one_lease(wrong(), right());
  expect_one_effect(2);
}

TEST_P(HeavyWallClock, MakesNoChargeOldOrYoung) {
  const ApiProcess losing(database_, right({{"MOCK_LOST_PERCENT", "100"}}));
  ApiProcess api(database_, wrong());
  expect_wrong_clock(api.process().wait_for_line("listening"));
  // After 1 hour the charge is repeated. After 21 hours it is looked up.
  for (const auto& [age, sent] : {std::pair{"1 hour", 2U}, std::pair{"21 hours", 1U}}) {
    const std::string key = new_key();
    const std::size_t before = ledger_.calls().size();
    EXPECT_EQ(losing.send(ride_request(key)).code(), "payment_unavailable");
    database_.execute("UPDATE rides SET created_at = now() - $1::interval WHERE stripe_charge_id IS NULL",
                      {age});
    EXPECT_EQ(api.send(ride_request(key)).status, 201);
    EXPECT_EQ(ledger_.calls().size() - before, sent) << age;
  }
  expect_one_effect(2);
}

TEST_P(HeavyWallClock, MakesNoKeyAbandoned) {
  const std::vector<std::string> others{abandon("1 minute"), abandon("10 minutes", "30 seconds")};
  const ChildProcess completer("completer", wrong({{"COMPLETER_IDLE_MS", "20"}}));
  expect_wrong_clock(completer.wait_for_line("started"));
  // When the second key comes, the completer has certainly made a round.
  for (int round = 0; round < 2; ++round) {
    const std::string due = abandon("10 minutes", "2 minutes");
    EXPECT_TRUE(eventually([&] { return database_.of_key(due, "recovery_point") == "finished"; }))
        << completer.output();
  }
  for (const std::string& key : others) EXPECT_EQ(database_.of_key(key, "attempts"), "1");
}

TEST_P(HeavyWallClock, MakesNoKeyOldEnoughToReap) {
  const ApiProcess api(database_, wrong());
  const auto finish = [&](const std::string& age) {
    std::string key = new_key();
    EXPECT_EQ(api.send(ride_request(key)).status, 201);
    if (!age.empty()) {
      database_.execute(
          "UPDATE idempotency_keys SET finished_at = now() - $2::interval WHERE idempotency_key = $1",
          {key, age});
    }
    return key;
  };
  const auto is_there = [&](const std::string& key) {
    return database_.number("SELECT count(*) FROM idempotency_keys WHERE idempotency_key = $1", {key}) == 1;
  };
  const std::vector<std::string> others{finish(""), finish("49 hours")};
  const ChildProcess reaper("reaper", wrong({{"REAPER_IDLE_MS", "20"}}));
  expect_wrong_clock(reaper.wait_for_line("started"));
  for (int round = 0; round < 2; ++round) {
    const std::string due = finish("73 hours");
    EXPECT_TRUE(eventually([&] { return !is_there(due); })) << reaper.output();
  }
  for (const std::string& key : others) EXPECT_TRUE(is_there(key));
}

}  // namespace
}  // namespace rocket::spec
