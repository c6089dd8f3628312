#include <gtest/gtest.h>

#include <future>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "rocket/base/ids.h"
#include "rocket/endpoints/rides.h"
#include "rocket/idempotency/keys.h"
#include "rocket/pg/session.h"
#include "rocket/process/block_on.h"
#include "rocket/process/event_loop.h"
#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"
#include "spec/support/scripted_gateway.h"

// Which attempt gets a key that exists already.
namespace rocket::spec {
namespace {

using idempotency::Lease;
using idempotency::Request;

constexpr const char* kOtherParams = R"({"origin_lat":0,"origin_lon":0,"target_lat":0,"target_lon":0})";

// A ride's, which takes a new key through its first stretch in the same statement. A claim by itself has the
// same text.
class Claim : public testing::Test {
 protected:
  Claim() {
    lease_.owner = kUser;
    lease_.key = request_.key;
    lease_.key_id = random_uuid();
    lease_.token = random_uuid();
  }

  // Claims the key and returns "claimed", the refusal or the stored answer.
  std::string claim(const Request& request, const Lease& lease) {
    const pg::Query query =
        idempotency::claim(request, lease, std::chrono::seconds(90), *rides_.claim_and_begin());
    const std::vector<const pg::Query*> alone{&query};
    const pg::Result rows = loop_.run(session_.run(pg::as_set(alone)));
    EXPECT_LE(rows.rows(), 1);
    const auto result = idempotency::read_claim(rows, lease);
    if (const auto* claimed = std::get_if<idempotency::Claimed>(&result)) {
      return claimed->is_new ? "new" : "claimed";
    }
    if (std::holds_alternative<idempotency::ClaimAgain>(result)) return "claim_again";
    if (const auto* answer = std::get_if<idempotency::Response>(&result)) return describe(*answer);
    return describe(std::get<idempotency::Refusal>(result));
  }
  std::string claim(const Request& request) {
    Lease lease = lease_;
    lease.key_id = random_uuid();
    lease.token = random_uuid();
    return claim(request, lease);
  }
  std::string of_key(const std::string& column) { return database_.of_key(request_.key, column); }
  void set(const std::string& columns) { database_.execute("UPDATE idempotency_keys SET " + columns); }

  TestDatabase database_;
  ScriptedGateway gateway_;
  const idempotency::Flow rides_ = endpoints::rides(gateway_, {}).flow;
  process::EventLoop loop_;
  pg::Session session_{{.url = database_.url()}};
  const Request request_ = engine_ride(new_key());
  Lease lease_;
};

TEST_F(Claim, TakesANewKeyOnce) {
  EXPECT_EQ(claim(request_, lease_), "new");
  EXPECT_EQ(of_key("lease"), lease_.token);
  EXPECT_EQ(of_key("id"), lease_.key_id);
  EXPECT_EQ(of_key("attempts"), "1");
  EXPECT_EQ(claim(request_), "in_progress");
  EXPECT_EQ(of_key("lease"), lease_.token);
  EXPECT_EQ(of_key("attempts"), "1");
}

TEST_F(Claim, IsNoLookUp) {
  const pg::Query query = idempotency::look_up(request_, std::chrono::seconds(90), rides_.claim_only());
  const std::vector<const pg::Query*> alone{&query};
  const auto found = idempotency::read_claim(loop_.run(session_.run(pg::as_set(alone))), lease_);
  EXPECT_TRUE(std::holds_alternative<idempotency::ClaimAgain>(found));
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

TEST_F(Claim, TakesWhatIsReleased) {
  ASSERT_EQ(claim(request_, lease_), "new");
  set("lease = NULL, locked_at = NULL, last_run_at = now() - interval '1 hour'");
  EXPECT_EQ(claim(request_), "claimed");
  EXPECT_EQ(of_key("attempts"), "2");
  EXPECT_EQ(of_key("locked_at > now() - interval '1 minute'"), "t");
  EXPECT_EQ(of_key("last_run_at > now() - interval '1 minute'"), "t");
}

TEST_F(Claim, TakesWhatWasHeldForLongerThanALease) {
  ASSERT_EQ(claim(request_, lease_), "new");
  set("locked_at = now() - interval '89 seconds'");
  EXPECT_EQ(claim(request_), "in_progress");
  set("locked_at = now() - interval '91 seconds'");
  EXPECT_EQ(claim(request_), "claimed");
  EXPECT_EQ(claim(request_), "in_progress");
}

TEST_F(Claim, TakesFromAnEarlierTokenOfItsOwn) {
  ASSERT_EQ(claim(request_, lease_), "new");
  Lease next = lease_;
  next.in_doubt_tokens = {random_uuid(), lease_.token};
  next.token = random_uuid();
  EXPECT_EQ(claim(request_, next), "claimed");
  EXPECT_EQ(database_.count("rides"), 1);
  EXPECT_EQ(of_key("lease"), next.token);
  // Claims as the statement that was cut off would, if it arrived now.
  EXPECT_EQ(claim(request_, lease_), "in_progress");
  EXPECT_EQ(of_key("lease"), next.token);
}

TEST_F(Claim, MayBeRepeated) {
  ASSERT_EQ(claim(request_, lease_), "new");
  // A key that an earlier transaction made is not new, although it has the id of this claim.
  EXPECT_EQ(claim(request_, lease_), "claimed");
  EXPECT_EQ(of_key("attempts"), "1");
  EXPECT_EQ(database_.count("rides"), 1);
}

TEST_F(Claim, IsOfOneUserAndOneKey) {
  ASSERT_EQ(claim(request_, lease_), "new");
  // Keys of other users and other keys do not matter, whatever their state.
  Request others = request_;
  others.credential = kDeclinedUser;
  Lease lease = lease_;
  lease.owner = kDeclinedUser;
  lease.key_id = random_uuid();
  lease.token = random_uuid();
  EXPECT_EQ(claim(others, lease), "new");
  EXPECT_EQ(claim(engine_ride(new_key())), "new");
  // Each verdict is about its own key. The other user's key gets an answer now.
  database_.execute(
      "UPDATE idempotency_keys SET recovery_point = 'finished', finished_at = now(), lease = NULL, locked_at "
      "= NULL,"
      " response_code = 201, response_body = '{}' WHERE id <> $1",
      {lease_.key_id});
  EXPECT_EQ(claim(request_), "in_progress");
  EXPECT_EQ(claim(others), "201 replayed");
}

TEST_F(Claim, OfAParkedKeyLeavesItParked) {
  ASSERT_EQ(claim(request_, lease_), "new");
  set("parked_at = now(), lease = NULL, locked_at = NULL, last_error = 'x'");
  EXPECT_EQ(claim(request_), "parked");
  EXPECT_EQ(of_key("lease"), "NULL");
  EXPECT_EQ(of_key("attempts"), "1");
}

TEST_F(Claim, OfAFinishedKeyLeavesItFinished) {
  ASSERT_EQ(claim(request_, lease_), "new");
  set("recovery_point = 'finished', finished_at = now(), lease = NULL, locked_at = NULL, response_code = 201,"
      " response_body = '{}'");
  EXPECT_EQ(claim(request_), "201 replayed");
  EXPECT_EQ(of_key("lease"), "NULL");
  EXPECT_EQ(of_key("attempts"), "1");
}

// The claims share one batch.
TEST_F(Claim, TellsSeveralApart) {
  ASSERT_EQ(claim(request_, lease_), "new");
  EngineRig rig(database_);
  std::future<idempotency::Outcome> held;
  std::vector<std::future<idempotency::Outcome>> fresh;
  {
    const Pause together(rig.lane());
    held = rig.start(request_);
    for (int i = 0; i < 2; ++i) fresh.push_back(rig.start(engine_ride(new_key())));
  }
  EXPECT_EQ(describe(answer_of(held)), "in_progress");
  std::set<std::string> bodies;
  for (auto& each : fresh) {
    const idempotency::Outcome outcome = answer_of(each);
    EXPECT_EQ(describe(outcome), "201");
    bodies.insert(body_of(outcome));
  }
  EXPECT_EQ(bodies.size(), 2U);
  // A batch that fails is repeated one by one, with new ids: no id was drawn in vain.
  EXPECT_EQ(database_.number("SELECT last_value FROM rides_id_seq"), 3);
  EXPECT_EQ(rig.gateway().calls().size(), 2U) << "whoever is told of another's key has to begin anew";
}

// What differs from the first request, and the recovery point of the key.
using Reuse = std::tuple<std::string, std::string>;
class ClaimForAnotherRequest : public Claim, public testing::WithParamInterface<Reuse> {};

TEST_P(ClaimForAnotherRequest, IsRefusedAndTakesNothing) {
  const auto& [difference, state] = GetParam();
  ASSERT_EQ(claim(request_, lease_), "new");
  if (state == "Released") set("lease = NULL, locked_at = NULL");
  if (state == "Stale") set("locked_at = now() - interval '2 minutes'");
  if (state == "Parked") set("parked_at = now(), lease = NULL, locked_at = NULL, last_error = 'x'");
  if (state == "Finished") {
    set("recovery_point = 'finished', finished_at = now(), lease = NULL, locked_at = NULL, response_code = "
        "201,"
        " response_body = '{}'");
  }
  const std::string lease = of_key("lease");
  Request other = request_;
  if (difference == "Method") other.method = "PUT";
  if (difference == "Path") other.path = "/rides/2";
  if (difference == "Params") other.params = kOtherParams;

  EXPECT_EQ(claim(other), "key_reused");

  EXPECT_EQ(of_key("lease"), lease);
  EXPECT_EQ(of_key("attempts"), "1");
}

INSTANTIATE_TEST_SUITE_P(With, ClaimForAnotherRequest,
                         testing::Combine(testing::Values("Method", "Path", "Params"),
                                          testing::Values("Held", "Stale", "Released", "Parked", "Finished")),
                         [](const auto& each) {
                           return "Another" + std::get<0>(each.param) + "While" + std::get<1>(each.param);
                         });

// An endpoint whose path has a variable: the same method and the same parameters, for another ride.
TEST_F(Claim, OfAnUnfinishedCancellationIsNotForAnotherRide) {
  EngineRig rig(database_);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(describe(rig.run(engine_ride(new_key()))), "201");
  const std::string key = new_key();
  rig.gateway().plan(ScriptedGateway::Behaviour::kIsAway);
  ASSERT_EQ(describe(rig.run(engine_cancellation(key, "1"))), "foreign_unavailable");
  EXPECT_EQ(describe(rig.run(engine_cancellation(key, "2"))), "key_reused");
  EXPECT_EQ(rig.gateway().refund_calls().size(), 1U);
  EXPECT_EQ(describe(rig.run(engine_cancellation(key, "1"))), "200");
}

// The statements that end an attempt write only while the attempt's lease is still the key's lease.
TEST_F(Claim, ThatIsLostWritesNothing) {
  ASSERT_EQ(claim(request_, lease_), "new");
  Lease lost = lease_;
  lost.token = random_uuid();
  Lease elsewhere = lease_;
  elsewhere.key_id = random_uuid();
  const auto affected = [&](const pg::Query& query) { return loop_.run(session_.run(query)).affected(); };
  EXPECT_EQ(affected(idempotency::finish(lost, "ride_created", 201, "{}", "")), 0);
  EXPECT_EQ(affected(idempotency::finish(elsewhere, "ride_created", 201, "{}", "")), 0);
  EXPECT_EQ(affected(idempotency::finish(lease_, "started", 201, "{}", "")), 0);
  EXPECT_EQ(affected(idempotency::park(lost, {}, "x")), 0);
  EXPECT_EQ(affected(idempotency::release(lost, {}, {.error = "x"})), 0);
  EXPECT_EQ(of_key("lease"), lease_.token);
  EXPECT_EQ(affected(idempotency::release(lease_, {}, {.error = "x"})), 1);
  EXPECT_EQ(of_key("lease"), "NULL");
}

}  // namespace
}  // namespace rocket::spec
