#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>

#include "spec/fault/effects.h"
#include "spec/fault/private_cluster.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/mute_server.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// The primary dies, and a replica takes its place while clients send requests.
namespace rocket::spec {
namespace {

// A commit is acknowledged only when it is on both servers.
struct ReplicatedServers {
  ReplicatedServers() {
    SqlSession session(primary.url());
    // Set after the replica was copied, so that the replica does not wait for a replica of its own.
    session.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
    session.execute("SELECT pg_reload_conf()");
    if (!eventually([&] {
          return session.number("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1;
        })) {
      throw std::runtime_error("the replica does not follow");
    }
  }

  // `first` may be a proxy of the primary.
  std::string url_by(const std::string& first) const {
    return "postgresql://postgres@" + first + "," + replica.address() +
           "/rides?target_session_attrs=read-write&sslmode=disable&gssencmode=disable";
  }

  PrivateCluster primary;
  PrivateCluster replica{PrivateCluster::ReplicaOf{primary}};
};

void fail_over_under_load(Felt& felt) {
  ReplicatedServers servers;
  Ledger ledger;
  const std::string url = servers.url_by(servers.primary.address());
  const Environment provider{kDefaultDatabaseTimeout,
                             {"MOCK_LEDGER", ledger.path()},
                             {"MOCK_LATENCY_MS", "3"},
                             {"MOCK_LOST_PERCENT", "5"}};
  Environment eager = provider;
  eager.insert({{"DATABASE_URL", url},
                {"COMPLETER_GRACE_S", "0"},
                {"COMPLETER_PAUSE_S", "0"},
                {"COMPLETER_IDLE_MS", "50"}});
  const ApiProcess one(url, provider);
  const ApiProcess other(url, provider);
  const ChildProcess completer("completer", eager);
  const ChildProcess enqueuer("enqueuer", {kDefaultDatabaseTimeout, {"DATABASE_URL", url}});
  Traffic traffic({one.port(), other.port()}, 8);
  ASSERT_TRUE(traffic.goes_on(200));

  servers.primary.crash();
  ASSERT_TRUE(eventually([&] { return one.send(get_request("/readyz")).status == 503; }, kAnswersWithin));
  ASSERT_TRUE(traffic.feels_it());
  servers.replica.promote();
  felt.until_served = traffic.until_done();
  ASSERT_TRUE(traffic.goes_on(200));
  traffic.end();
  felt.slowest_answer = traffic.slowest_attempt();

  SqlSession promoted(servers.replica.url());
  ASSERT_TRUE(eventually([&] { return promoted.number("SELECT count(*) FROM staged_jobs") == 0; }))
      << enqueuer.output();
  expect_same_bytes(promoted, traffic.rides());
  expect_one_effect_per_key(promoted, ledger, traffic.done(), Receipts::kDelivered);
  expect_receipts_delivered(enqueuer, traffic.done());
  EXPECT_TRUE(completer.running()) << completer.output();
}

TEST(FailoverUnderLoad, LosesNothingAndNeedsNoRestart) {
  expect_in_time([] {
    Felt felt;
    fail_over_under_load(felt);
    return felt;
  });
}

class Failover : public testing::Test {
 protected:
  ReplicatedServers servers_;
  Ledger ledger_;
};

// The commit is one before the charge or one after it. The primary dies while the engine waits for the answer
// to that commit: either before the primary got the commit, or after both servers have it.
enum class Commit { kOfTheRide, kOfTheAnswer };
class FailoverInDoubt : public Failover,
                        public testing::WithParamInterface<std::tuple<Commit, CuttingProxy::To>> {};

using CommitAndCut = std::tuple<Commit, CuttingProxy::To>;
std::string name_of(const testing::TestParamInfo<CommitAndCut>& each) {
  const auto [commit, cut] = each.param;
  return std::string(commit == Commit::kOfTheRide ? "Ride" : "Answer") +
         (cut == CuttingProxy::To::kServer ? "Undone" : "Done");
}

INSTANTIATE_TEST_SUITE_P(OfCommit, FailoverInDoubt,
                         testing::Combine(testing::Values(Commit::kOfTheRide, Commit::kOfTheAnswer),
                                          testing::Values(CuttingProxy::To::kServer,
                                                          CuttingProxy::To::kClient)),
                         name_of);

TEST_P(FailoverInDoubt, TheKeyGoesOnFromWhereItStands) {
  const auto [commit, direction] = GetParam();
  CuttingProxy proxy(servers_.primary.url());
  EngineRig rig(servers_.url_by(proxy.address()),
                RigOptions{.lanes = 1, .batch_limit = 64, .rides = {}, .engine = {}});
  // The first ride prepares the statements.
  ASSERT_EQ(describe(rig.run(engine_ride(new_key()))), "201");

  std::string known_to_replica;
  const std::string key = new_key();
  const auto fail_over = [&](CuttingProxy& cut) {
    servers_.primary.crash();
    servers_.replica.promote();
    const auto rows =
        SqlSession(servers_.replica.url())
            .rows("SELECT recovery_point FROM idempotency_keys WHERE idempotency_key = $1", {key});
    known_to_replica = rows.empty() ? "nothing" : rows[0][0].value_or("NULL");
    cut.cut();
  };
  Gate gate;
  if (commit == Commit::kOfTheRide) {
    gate.open();
    proxy.after(direction, 0, fail_over);
  }
  rig.gateway().plan({{ScriptedGateway::Behaviour::kCharges, &gate}});
  auto attempt = rig.start(engine_ride(key));
  if (commit == Commit::kOfTheAnswer) {
    ASSERT_TRUE(gate.wait_for_arrivals(1));
    proxy.after(direction, 0, fail_over);
    gate.open();
  }
  EXPECT_EQ(describe(answer_of(attempt)), "201");
  ASSERT_TRUE(proxy.has_acted());

  const bool done = direction == CuttingProxy::To::kClient;
  if (commit == Commit::kOfTheRide) {
    EXPECT_EQ(known_to_replica, done ? "ride_created" : "nothing");
  } else {
    EXPECT_EQ(known_to_replica, done ? "finished" : "ride_created");
  }
  SqlSession promoted(servers_.replica.url());
  EXPECT_EQ(promoted.number("SELECT count(*) FROM rides WHERE stripe_charge_id IS NOT NULL"), 2);
  EXPECT_EQ(promoted.number("SELECT count(*) FROM idempotency_keys WHERE response_code = 201"), 2);
  EXPECT_EQ(promoted.number("SELECT count(*) FROM staged_jobs"), 2);
  EXPECT_EQ(rig.gateway().charges().size(), 2U);
}

// Every commit waits for the replica. Without the replica, no commit is acknowledged.
TEST_F(Failover, WithoutItsReplicaAPrimaryAcknowledgesNothing) {
  const ApiProcess api(servers_.primary.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger_.path()}});
  Traffic traffic({api.port()}, 8);
  ASSERT_TRUE(eventually([&] { return traffic.done() > 50; }));
  servers_.replica.stop();
  const int before = traffic.done();
  const std::string key = new_key();
  EXPECT_EQ(api.send(ride_request(key)).status, 503);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_EQ(traffic.done(), before);
  EXPECT_TRUE(traffic.feels_it());
  // The claim of that key is still under way in the server, although no client waits for it.
  servers_.replica.start();
  EXPECT_TRUE(eventually([&] { return api.send(ride_request(key)).status == 201; },
                         std::chrono::seconds(1) + 2 * kServesWithin));
  EXPECT_TRUE(eventually([&] { return traffic.done() > before; }));
  traffic.end();

  // An attempt may wait in vain for two transactions, one after the other, and then find out how they ended.
  EXPECT_LT(traffic.slowest_attempt(), 2 * kAnswersWithin);
  SqlSession session(servers_.primary.url());
  expect_same_bytes(session, traffic.rides());
  expect_one_effect_per_key(session, ledger_, traffic.done() + 1);
}

// The URL names only one server, and that server becomes writable.
TEST_F(Failover, AReplicaIsOfNoUseUntilItIsPromoted) {
  const ApiProcess api(servers_.replica.url(), {kDefaultDatabaseTimeout});
  const ClientResponse refused = api.send(ride_request(new_key()));
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.code(), "database_unavailable");
  EXPECT_EQ(api.send(get_request("/readyz")).status, 503);
  servers_.replica.promote();
  EXPECT_TRUE(eventually([&] { return api.send(ride_request(new_key())).status == 201; }, kServesWithin));
}

TEST(Demotion, OfAServerMakesConnectionsToItUseless) {
  PrivateCluster cluster;
  Ledger ledger;
  const ApiProcess api(cluster.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});
  const std::string key = new_key();
  ASSERT_EQ(api.send(ride_request(key)).status, 201);
  SqlSession session(cluster.url());
  const auto set_read_only = [&](const std::string& value) {
    session.execute("ALTER SYSTEM SET default_transaction_read_only = " + value);
    session.execute("SELECT pg_reload_conf()");
  };
  const auto is_refused = [&] {
    const ClientResponse answer = api.send(ride_request(new_key()));
    EXPECT_THAT(answer.status, testing::AnyOf(201, 503)) << answer.body;
    return answer.status == 503 && answer.code() == "database_unavailable";
  };
  expect_in_time([&] {
    const std::string connections = session.value(
        "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name LIKE 'rocket-rides%'");
    Felt felt;
    set_read_only("on");
    felt.slowest_answer = time_of([&] { EXPECT_TRUE(eventually(is_refused)); });
    // Each lane has one of these connections, and notices when it is used.
    EXPECT_TRUE(eventually([&] {
      return is_refused() &&
             session.number("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1::int[])",
                            {connections}) == 0;
    }));
    EXPECT_TRUE(eventually([&] { return api.send(get_request("/readyz")).status == 503; }, kAnswersWithin));
    set_read_only("off");
    felt.until_served = time_of(
        [&] { EXPECT_TRUE(eventually([&] { return api.send(ride_request(new_key())).status == 201; })); });
    return felt;
  });
}

// A machine that is gone does not refuse a connection. It does not answer at all.
TEST(ServerThatSaysNothing, DoesNotHideTheNextOne) {
  const MuteServer mute(MuteServer::Manner::kSaysNothing);
  PrivateCluster cluster;
  Ledger ledger;
  const ApiProcess api("postgresql://postgres@" + mute.address() + "," + cluster.address() + "/rides",
                       {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});
  const std::string key = new_key();
  ClientResponse first;
  EXPECT_LT(time_of([&] { first = api.send(ride_request(key)); }), kAnswersWithin);
  EXPECT_TRUE(first.status == 201 || first.status == 503) << first.body;
  EXPECT_TRUE(eventually([&] { return api.send(ride_request(key)).status == 201; },
                         kSlowness * std::chrono::seconds(3)));
}

TEST(ServerThatSaysNothing, LeavesNoClientWaiting) {
  const MuteServer mute(MuteServer::Manner::kSaysNothing);
  const ApiProcess api("postgresql://postgres@" + mute.address() + "/rides", {kDefaultDatabaseTimeout});
  const auto ask = [&] {
    ClientResponse refused;
    Felt felt;
    felt.slowest_answer = time_of([&] { refused = api.send(ride_request(new_key())); });
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.code(), "database_unavailable");
    return felt;
  };
  expect_in_time(ask, 5);
}

// The server is suspended in the middle of work, or the network drops its packets.
TEST(ServerThatSaysNothing, IsLeftInTimeAndTakenUpAgain) {
  TestDatabase database;
  Ledger ledger;
  CuttingProxy proxy(database.url());
  const ApiProcess api(proxy.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});
  Traffic traffic({api.port()}, 8);
  ASSERT_TRUE(eventually([&] { return traffic.done() > 50; }));
  expect_in_time([&] {
    traffic.take_slowest_attempt();
    std::promise<void> end;
    proxy.after(CuttingProxy::To::kServer, 10,
                [ended = end.get_future().share()](CuttingProxy&) { ended.wait(); });
    EXPECT_TRUE(eventually([&] { return api.send(get_request("/readyz")).status == 503; }, kAnswersWithin));
    std::this_thread::sleep_for(std::chrono::seconds(2));
    EXPECT_TRUE(traffic.feels_it());
    end.set_value();
    return felt_by(traffic);
  });
  traffic.end();
  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);
  SqlSession session = database.open_session();
  expect_same_bytes(session, traffic.rides());
  expect_one_effect_per_key(session, ledger, traffic.done());
}

}  // namespace
}  // namespace rocket::spec
