#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/integration/waiting_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/held_keys.h"
#include "spec/support/requests.h"

// Duplicates whose clients prefer to wait for the end of the first attempt.
namespace rocket::spec {
namespace {

TEST_F(WaitingDuplicates, GetTheAnswerOfAnAttemptInAnotherProcess) {
  const ApiProcess api(database_, with_latency("0"));
  HttpConnection waiting = api.connect();
  ApiProcess other(database_, with_latency("2000"));
  HttpConnection first = other.connect();
  first.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
  other.process().kill(SIGSTOP);
  ASSERT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");
  send_to_wait(api, waiting, patient(ride_request(key_)), ride_request(key_));
  other.process().kill(SIGCONT);

  const ClientResponse made = first.receive();
  ASSERT_EQ(made.status, 201) << made.body;
  const ClientResponse answer = waiting.receive();
  expect_stored(answer, 201, made.body);
  EXPECT_EQ(answer.header("location"), made.header("location"));
  EXPECT_EQ(made.count("preference-applied"), 0U);
  expect_one_ride();
}

TEST_F(WaitingDuplicates, GetTheAnswerOfAnAttemptInTheirProcess) {
  const ApiProcess api(database_, with_latency("2000"));
  HttpConnection waiting = api.connect();
  HttpConnection first = api.connect();
  first.send(ride_request(key_).to_bytes());
  ASSERT_TRUE(eventually([&] { return !ledger_.calls().empty(); }));
  send_to_wait(api, waiting, patient(ride_request(key_)), ride_request(key_));
  const ClientResponse made = first.receive();
  ASSERT_EQ(made.status, 201) << made.body;
  expect_stored(waiting.receive(), 201, made.body);
  expect_one_ride();
}

// All of these wait on the same api for a key that is held by somebody else.
class WaitingForAHeldKey : public WaitingDuplicates {
 protected:
  WaitingForAHeldKey() { hold_new_key(database_, key_); }

  void wait(const std::string& preference = "wait=20") {
    send_to_wait(api_, waiting_, patient(ride_request(key_), preference), ride_request(key_));
  }

  ApiProcess api_{database_, with_latency("0")};
  HttpConnection waiting_ = api_.connect();
};

TEST_F(WaitingForAHeldKey, LetsThemMakeTheAttemptOnceItIsReleased) {
  wait();
  release_held_keys(database_);
  const ClientResponse answer = waiting_.receive();
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.count("idempotent-replayed"), 0U);
  EXPECT_EQ(answer.header("preference-applied"), "wait=20");
  expect_one_ride();
}

// However many there are, only some try the key at a time.
TEST_F(WaitingForAHeldKey, MakesOneAttemptOfACrowdOnceItIsReleased) {
  std::vector<HttpConnection> crowd;
  for (int i = 0; i < 30; ++i) {
    crowd.push_back(api_.connect());
    crowd.back().send(patient(ride_request(key_)).to_bytes());
  }
  wait();
  release_held_keys(database_);
  const ClientResponse last = waiting_.receive();
  EXPECT_EQ(last.status, 201) << last.body;
  int made = last.count("idempotent-replayed") == 0 ? 1 : 0;
  for (HttpConnection& each : crowd) {
    const ClientResponse answer = each.receive();
    EXPECT_EQ(answer.status, 201) << answer.body;
    EXPECT_EQ(answer.body, last.body);
    if (answer.count("idempotent-replayed") == 0) ++made;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(database_.of_key(key_, "attempts"), "2");
  expect_one_ride();
}

// A person may have changed it.
TEST_F(WaitingForAHeldKey, AnswersAlsoWhenTheStoredAnswerCannotBeShown) {
  const ClientRequest request = ride_request(key_).with("Accept", "application/problem+json");
  send_to_wait(api_, waiting_, patient(request), ride_request(key_));
  finish_held_keys(database_, 402, "no JSON");
  EXPECT_EQ(waiting_.receive().status, 500);
  EXPECT_EQ(api_.send(get_request("/account")).status, 200);
}

TEST_F(WaitingForAHeldKey, LetsThemTakeOverFromAHolderThatStalls) {
  wait();
  database_.pass_lease(key_);
  EXPECT_EQ(waiting_.receive().status, 201);
  expect_one_ride();
}

TEST_F(WaitingForAHeldKey, TellsThemThatItWasParked) {
  wait();
  database_.execute(
      "UPDATE idempotency_keys SET lease = NULL, locked_at = NULL, parked_at = now(), last_error = 'spec'");
  const ClientResponse answer = waiting_.receive();
  expect_failure(answer, 409, "request_parked");
  EXPECT_EQ(answer.header("preference-applied"), "wait=20");
}

TEST_F(WaitingForAHeldKey, MakesItAnewIfItIsGone) {
  wait();
  database_.execute("DELETE FROM idempotency_keys");
  EXPECT_EQ(waiting_.receive().status, 201);
  expect_one_ride();
}

TEST_F(WaitingForAHeldKey, EndsWithTheUsualAnswerWhenTheTimeIsOver) {
  const auto begin = std::chrono::steady_clock::now();
  wait("wait=1");
  const ClientResponse answer = waiting_.receive();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  expect_failure(answer, 409, "request_in_progress");
  expect_retry_later(answer);
  EXPECT_EQ(answer.header("preference-applied"), "wait=1");
  EXPECT_EQ(database_.of_key(key_, "attempts"), "1");
}

TEST_F(WaitingForAHeldKey, TellsHowLongItWouldHaveTaken) {
  wait("respond-async, wait=86400");
  finish_held_keys(database_, 402, R"({"error":"The card was declined.","code":"card_declined"})");
  const ClientResponse answer = waiting_.receive();
  EXPECT_EQ(answer.status, 402);
  EXPECT_EQ(answer.header("preference-applied"), "wait=30");
}

TEST_F(WaitingForAHeldKey, RendersProblemsForThoseWhoAskForThem) {
  const ClientRequest request = patient(ride_request(key_)).with("Accept", "application/problem+json");
  send_to_wait(api_, waiting_, request, ride_request(key_));
  finish_held_keys(database_, 402, R"({"error":"The card was declined.","code":"card_declined"})");
  const ClientResponse answer = waiting_.receive();
  EXPECT_EQ(answer.status, 402);
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
  EXPECT_EQ(answer.header("idempotent-replayed"), "true");
}

TEST_F(WaitingForAHeldKey, IsOnlyForThoseWhoPreferIt) {
  for (const ClientRequest& request : {ride_request(key_), patient(ride_request(key_), "wait=0"),
                                       patient(ride_request(key_), "respond-async")}) {
    const ClientResponse answer = api_.send(request);
    expect_failure(answer, 409, "request_in_progress");
    EXPECT_EQ(answer.count("preference-applied"), 0U);
  }
}

TEST_F(WaitingForAHeldKey, IsNotForAnswersThatAreKnownAtOnce) {
  const char* other = "origin_lat=0&origin_lon=0&target_lat=0&target_lon=0";
  const ClientResponse reused = api_.send(patient(ride_request(key_, kUser, other)));
  expect_failure(reused, 409, "idempotency_key_reused");
  EXPECT_EQ(reused.count("preference-applied"), 0U);

  const std::string key = new_key();
  for (const char* replayed : {"", "true"}) {
    const ClientResponse answer = api_.send(patient(ride_request(key)));
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.header("idempotent-replayed"), replayed);
    EXPECT_EQ(answer.count("preference-applied"), 0U);
  }
}

TEST_F(WaitingForAHeldKey, KeepsPipelinedRequestsInOrder) {
  waiting_.send(patient(ride_request(key_)).to_bytes() + get_request("/healthz").to_bytes());
  expect_failure(api_.send(ride_request(key_)), 409, "request_in_progress");
  finish_held_keys(database_, 201, kAnswer);
  expect_stored(waiting_.receive(), 201, kAnswer);
  EXPECT_EQ(waiting_.receive().body, R"({"status":"alive"})");
}

TEST_F(WaitingDuplicates, AreThoseOfEveryRequestWithAKey) {
  const ApiProcess api(database_, with_latency("0"));
  const ClientResponse ride = api.send(ride_request(new_key()));
  const std::string path = ride.header("location");
  ASSERT_EQ(path.rfind("/rides/", 0), 0U) << ride.body;
  for (const ClientRequest& request : {deposit_request(kUser, "5"), cancel_request(path.substr(7))}) {
    SCOPED_TRACE(request.method);
    const std::string key = new_key();
    const ClientRequest with_key = request.with("Idempotency-Key", key);
    const ClientResponse made = api.send(with_key);
    ASSERT_LT(made.status, 300) << made.body;
    hold_key(database_, key);
    HttpConnection waiting = api.connect();
    send_to_wait(api, waiting, patient(with_key), with_key);
    finish_held_keys(database_, made.status, made.body);
    expect_stored(waiting.receive(), made.status, made.body);
  }
}

}  // namespace
}  // namespace rocket::spec
