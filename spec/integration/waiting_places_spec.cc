#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/integration/waiting_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/api_tokens.h"
#include "spec/support/eventually.h"
#include "spec/support/held_keys.h"
#include "spec/support/requests.h"
#include "spec/support/sql_session.h"

// What duplicates that wait take from others: a place in the line and nothing else.
namespace rocket::spec {
namespace {

// Keys with one waiter each. There are more than one statement asks for.
TEST_F(WaitingDuplicates, HoldUpNobodyElse) {
  Environment one_lane = with_latency("0");
  one_lane.emplace("DATABASE_LANES", "1");
  const ApiProcess api(database_, one_lane);
  // A known user has a share of their own.
  ASSERT_EQ(api.send(get_request("/account")).status, 200);
  std::vector<HttpConnection> waiting;
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    keys.push_back(new_key());
    hold_new_key(database_, keys.back());
    waiting.push_back(api.connect());
    waiting.back().send(patient(ride_request(keys.back()), "wait=30").to_bytes());
  }
  expect_failure(api.send(ride_request(keys.back())), 409, "request_in_progress");
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
  EXPECT_EQ(api.send(get_request("/account")).status, 200);
  const auto finish = [&](const std::string& condition) {
    database_.execute(
        "UPDATE idempotency_keys SET recovery_point = 'finished', finished_at = now(), response_code = 201, "
        "  response_body = json_build_object('key', idempotency_key), lease = NULL, locked_at = NULL "
        "WHERE lease IS NOT NULL AND " +
        condition);
  };
  const auto expect_answer = [&](std::size_t i) {
    expect_stored(waiting[i].receive(), 201, "{\"key\" : \"" + keys[i] + "\"}", "wait=30");
  };
  // The last one that is asked for.
  const std::string last = database_.value(
      "SELECT idempotency_key FROM idempotency_keys WHERE lease IS NOT NULL ORDER BY id DESC LIMIT 1");
  finish("idempotency_key = '" + last + "'");
  const auto its = static_cast<std::size_t>(std::find(keys.begin(), keys.end(), last) - keys.begin());
  ASSERT_LT(its, keys.size());
  expect_answer(its);
  finish("true");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i != its) expect_answer(i);
  }
}

// Their caller becomes known only at the second attempt, because the first one could not be asked for: a lock
// kept it from noting that the token was used.
TEST_F(WaitingDuplicates, MayBeOfACallerWhoIsKnownOnlyLater) {
  const std::string bearer = make_bearer(database_);
  Environment environment = with_latency("0");
  environment.insert({{"AUTH", "token"}, {"API_DECLINES_PER_H", "2"}});
  const ApiProcess api(database_, environment);
  hold_new_key(database_, key_);
  SqlSession locker(database_.url());
  locker.execute("BEGIN; LOCK TABLE api_tokens IN SHARE MODE");
  HttpConnection waiting = api.connect();
  send_to_wait(api, waiting, patient(ride_request(key_, bearer)), ride_request(key_, bearer));
  locker.execute("ROLLBACK");
  release_held_keys(database_);
  EXPECT_EQ(waiting.receive().status, 201);
  EXPECT_EQ(api.send(ride_request(new_key(), bearer)).status, 201);
}

// A line of eight: four for each caller, two for requests that call the provider.
class WaitingInAShortLine : public WaitingDuplicates {
 protected:
  WaitingInAShortLine() {
    // A known user has a share of their own.
    EXPECT_EQ(api_.send(get_request("/account")).status, 200);
    EXPECT_EQ(api_.send(get_request("/account", kDeclinedUser)).status, 200);
    hold_new_key(database_, key_);
  }
  void add_waiter() {
    waiting_.push_back(api_.connect());
    send_to_wait(api_, waiting_.back(), patient(ride_request(key_), "wait=30"), ride_request(key_));
  }

  ApiProcess api_{database_,
                  {{"API_LINE_LIMIT", "8"},
                   {"API_CALLER_SHARE", "50"},
                   {"API_PROVIDER_SHARE", "25"},
                   {"API_WAITING_SHARE", "50"},
                   {"API_DECLINES_PER_H", "2"}}};
  std::vector<HttpConnection> waiting_;
  const std::string other_key_ = new_key();
};

TEST_F(WaitingInAShortLine, CountsForTheShareOfTheirCaller) {
  for (int i = 0; i < 3; ++i) add_waiter();
  waiting_.push_back(api_.connect());
  waiting_.back().send(patient(ride_request(key_), "wait=30").to_bytes());
  ClientResponse refused;
  ASSERT_TRUE(eventually([&] {
    refused = api_.send(get_request("/account"));
    return refused.status != 200;
  }));
  expect_failure(refused, 429, "too_many_requests");
  EXPECT_EQ(api_.send(get_request("/account", kDeclinedUser)).status, 200);
  finish_held_keys(database_, 201, kAnswer);
  for (HttpConnection& each : waiting_) EXPECT_EQ(each.receive().body, kAnswer);
  EXPECT_EQ(api_.send(get_request("/account")).status, 200);
}

// Otherwise a few callers could fill the line with requests that wait.
TEST_F(WaitingInAShortLine, IsNotForMoreThanTheirShareOfTheLine) {
  for (int i = 0; i < 3; ++i) add_waiter();
  hold_new_key(database_, other_key_, kDeclinedUser);
  HttpConnection last = api_.connect();
  const ClientRequest request = ride_request(other_key_, kDeclinedUser);
  last.send(patient(request, "wait=30").to_bytes());
  expect_failure(api_.send(request), 409, "request_in_progress");
  const ClientResponse refused = api_.send(patient(request, "wait=30"));
  expect_failure(refused, 409, "request_in_progress");
  EXPECT_EQ(refused.count("preference-applied"), 0U);
}

TEST_F(WaitingInAShortLine, KeepsNobodyFromCallingTheProvider) {
  for (int i = 0; i < 3; ++i) add_waiter();
  const ClientResponse answer = api_.send(ride_request(new_key()));
  EXPECT_EQ(answer.status, 201) << answer.body;
  release_held_keys(database_);
  int replayed = 0;
  for (HttpConnection& each : waiting_) {
    const ClientResponse made = each.receive();
    EXPECT_EQ(made.status, 201) << made.body;
    if (made.count("idempotent-replayed") == 1) ++replayed;
  }
  EXPECT_EQ(replayed, 2);
}

}  // namespace
}  // namespace rocket::spec
