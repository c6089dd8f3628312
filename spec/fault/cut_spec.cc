#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "spec/fault/contents.h"
#include "spec/fault/effects.h"
#include "spec/fault/patient_client.h"
#include "spec/fault/private_cluster.h"
#include "spec/support/api_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/examples.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"
#include "spec/support/roles.h"
#include "spec/support/time_limits.h"

// The connection to the database is cut at each message of the protocol: while it connects, before BEGIN,
// between and within statements, before COMMIT, during the commit, and before each answer.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

struct Case {
  const endpoints::Endpoint* endpoint;
  To direction;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const endpoints::Endpoint& endpoint : all_endpoints()) {
    for (const To direction : {To::kServer, To::kClient}) cases.push_back({&endpoint, direction});
  }
  return cases;
}

RigOptions one_lane() { return {.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}}; }

std::multiset<std::string> values_of(const std::map<std::string, std::string>& map) {
  std::multiset<std::string> values;
  for (const auto& each : map) values.insert(each.second);
  return values;
}

class CutAtEachMessage : public testing::TestWithParam<Case> {
 protected:
  // Sends examples that share a batch, and returns their outcomes. A busy machine may take too long to
  // connect again; then the request is refused, and is sent again as a client would do.
  std::vector<std::string> send(EngineRig& rig, EngineRig& preparer, std::size_t count) {
    const endpoints::Endpoint& endpoint = *GetParam().endpoint;
    std::vector<idempotency::Request> requests;
    for (std::size_t i = 0; i < count; ++i) {
      const auto run = [&](const endpoints::Endpoint& before, const Prepared& prepared) {
        return body_of(preparer.run(engine_example(before, prepared, new_key())));
      };
      requests.push_back(engine_example(endpoint, prepare(endpoint, run), new_key()));
    }
    std::vector<std::future<idempotency::Outcome>> attempts;
    {
      const Pause together(rig.lane());
      for (const idempotency::Request& each : requests) attempts.push_back(rig.start(each));
    }
    std::vector<std::string> outcomes;
    for (std::size_t i = 0; i < count; ++i) {
      outcomes.push_back(describe(answer_of(attempts[i])));
      if (outcomes.back() != "database_unavailable") continue;
      ++refused_;
      eventually([&] {
        const std::string again = describe(rig.run(requests[i]));
        outcomes.back() = again.substr(0, again.find(' '));
        return again != "database_unavailable" && again != "in_progress";
      });
    }
    return outcomes;
  }
  void expect_done(std::size_t count) {
    EXPECT_THAT(send(rig_, preparer_, count), testing::Each(testing::AnyOf("200", "201")));
    sent_ += count;
  }

  TestDatabase database_;
  EngineRig preparer_{database_, one_lane()};
  CuttingProxy proxy_{database_.url()};
  EngineRig rig_{proxy_.url(), one_lane()};
  std::size_t sent_ = 0;
  std::size_t refused_ = 0;
};

TEST_P(CutAtEachMessage, EveryRequestHasItsEffectOnce) {
  // If units of this endpoint cannot share a transaction, a second one would only run after the first.
  const std::size_t together = GetParam().endpoint->flow.locks_shared_rows() ? 1 : 2;
  std::size_t messages = 0;
  for (bool was_cut = true; was_cut; ++messages) {
    SCOPED_TRACE("cut after " + std::to_string(messages) + " messages");
    // The lane is connected again, and its statements are prepared.
    proxy_.cut_after(GetParam().direction, kNever);
    expect_done(together);
    proxy_.cut_after(GetParam().direction, messages);
    // The engine finds out by itself how far the request got, and goes on.
    expect_done(together);
    was_cut = proxy_.has_acted();
  }
  EXPECT_GT(messages, 10U);
  // A slow machine causes a refusal only sometimes. An engine that does not go on by itself would cause one
  // each time.
  EXPECT_LT(refused_, messages / 2);

  // The same number of requests must leave the same contents when nothing is cut.
  TestDatabase undisturbed;
  EngineRig rig(undisturbed, one_lane());
  send(rig, rig, sent_);
  EXPECT_EQ(contents(database_), contents(undisturbed));
  std::multiset<std::string> moved = values_of(rig_.gateway().charges());
  moved.merge(values_of(preparer_.gateway().charges()));
  moved.merge(values_of(rig_.gateway().refunds()));
  EXPECT_EQ(moved_ids(database_), moved);
}

INSTANTIATE_TEST_SUITE_P(Of, CutAtEachMessage, testing::ValuesIn(all_cases()), [](const auto& each) {
  return name_of(*each.param.endpoint) + (each.param.direction == To::kServer ? "ToServer" : "ToClient");
});

// A server that asks the api for a password, so that there are messages before the session begins.
class CutWhileConnecting : public testing::Test {
 protected:
  CutWhileConnecting() {
    const std::string file = session_.value("SHOW hba_file");
    session_.execute("ALTER ROLE rocket_api PASSWORD 'secret'");
    session_.execute("COPY (VALUES ('local all rocket_api scram-sha-256'), ('local all all trust')) TO '" +
                     file + "'");
    session_.execute("SELECT pg_reload_conf()");
    const bool asks = eventually([&] {
      try {
        SqlSession(url_of_role(cluster_.url(), "api"));
        return false;
      } catch (const std::runtime_error&) {
        return true;
      }
    });
    if (!asks) throw std::runtime_error("the server asks for no password");
  }

  PrivateCluster cluster_;
  SqlSession session_{cluster_.url()};
  Ledger ledger_;
  CuttingProxy proxy_{url_with(cluster_.url(), {{"user", "rocket_api"}, {"password", "secret"}})};
};

// Cuts at each message with which a connection begins: start-up, password, session settings. A later cut
// causes no refusal.
TEST_F(CutWhileConnecting, AnApiComesBackByItself) {
  const ApiProcess api(proxy_.url(),
                       {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger_.path()}, {"DATABASE_LANES", "1"}});
  PatientClient client({api.port()});
  std::int64_t rides = 0;
  for (const To direction : {To::kServer, To::kClient}) {
    // Tries at least this many messages: start-up, two about the password and the settings, or the server's
    // answers, which are more. On a slow machine the api may connect again before the request comes. Then a
    // cut among these messages causes no refusal, and that must not end the loop.
    const std::size_t least = direction == To::kServer ? 5 : 21;
    std::size_t messages = 0;
    for (bool was_felt = true; was_felt || messages < least; ++messages) {
      SCOPED_TRACE("cut after " + std::to_string(messages) + " messages, " +
                   (direction == To::kServer ? "to the server" : "to the client"));
      proxy_.cut_now();
      proxy_.cut_after(direction, messages);
      const auto outcome = client.insist(ride_request(new_key()));
      ++rides;
      EXPECT_EQ(outcome.answer.status, 201) << outcome.answer.body;
      EXPECT_THAT(outcome.refusals, testing::Each(503));
      EXPECT_LT(outcome.slowest_attempt, kAnswersWithin);
      EXPECT_LT(outcome.duration, kServesWithin);
      EXPECT_TRUE(proxy_.has_acted());
      was_felt = !outcome.refusals.empty();
    }
  }
  expect_one_effect_per_key(session_, ledger_, rides);
}

// The server may still run the statements of the connection that was cut, for any length of time.
TEST(CommitInDoubt, WhatIsUnderWayCanWriteNothingOnceTheAttemptGoesOn) {
  TestDatabase database;
  CuttingProxy proxy(database.url());
  EngineRig rig(proxy.url(), one_lane());
  const std::string key = new_key();
  std::vector<std::string> tokens;
  std::vector<std::int64_t> written;
  rig.gateway().on_charge([&](const payments::ChargeRequest&) {
    tokens.push_back(database.of_key(key, "lease"));
    if (tokens.size() == 1) proxy.cut_after(To::kServer, 1);
    // Writes as the transaction that was cut off would write now.
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
