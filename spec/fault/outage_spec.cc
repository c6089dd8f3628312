#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "spec/fault/effects.h"
#include "spec/fault/private_cluster.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// A database that is not there yet, stops, comes back, or cuts connections.
namespace rocket::spec {
namespace {

TEST(DatabaseOutage, AnApiMayStartBeforeItsDatabase) {
  Ledger ledger;
  PrivateCluster cluster;
  cluster.stop();
  ApiProcess api(cluster.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});

  EXPECT_EQ(api.send(get_request("/healthz")).status, 200);
  EXPECT_EQ(api.send(get_request("/readyz")).status, 503);
  const std::string key = new_key();
  expect_in_time([&] {
    cluster.stop();
    ClientResponse answer;
    Felt felt;
    felt.slowest_answer = time_of([&] { answer = api.send(ride_request(key)); });
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.code(), "database_unavailable");
    EXPECT_GE(answer.header("retry-after"), "1");

    cluster.start();
    felt.until_served = time_of([&] {
      EXPECT_TRUE(eventually([&] { return (answer = api.send(ride_request(key))).status == 201; }))
          << answer.body;
      // Each connection of the api notices the end of the outage by itself.
      EXPECT_TRUE(eventually([&] { return api.send(get_request("/readyz")).status == 200; }));
    });
    return felt;
  });
  SqlSession session(cluster.url());
  expect_one_effect_per_key(session, ledger, 1);
}

TEST(DatabaseOutage, WorkersMayStartBeforeTheirDatabase) {
  PrivateCluster cluster;
  {
    SqlSession session(cluster.url());
    const std::string insert =
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params, created_at, last_run_at";
    session.execute(insert +
                    ") VALUES (gen_random_uuid(), 1, 'abandoned-key-000000', 'POST', '/deposits', "
                    "'{\"amount\": 7}', now() - interval '1 hour', now() - interval '1 hour')");
    session.execute(insert +
                    ", recovery_point, finished_at, response_code, response_body) VALUES (gen_random_uuid(), "
                    "1, 'finished-key-0000000', 'POST', '/rides', '{}', now() - interval '80 hours', "
                    "now() - interval '80 hours', 'finished', now() - interval '80 hours', 201, '{}')");
    session.execute("INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}')");
  }
  cluster.stop();
  const Environment environment{kDefaultDatabaseTimeout, {"DATABASE_URL", cluster.url()}};
  const ChildProcess completer("completer", environment, {"--idle", "100", "--pause", "0"});
  const ChildProcess enqueuer("enqueuer", environment);
  const ChildProcess reaper("reaper", environment, {"--idle", "100"});
  for (const ChildProcess* each : {&completer, &enqueuer, &reaper}) {
    EXPECT_NO_THROW(each->wait_for_line("cannot work"));
    EXPECT_TRUE(each->running());
  }

  cluster.start();
  SqlSession session(cluster.url());
  EXPECT_TRUE(eventually([&] {
    return session.number(
               "SELECT count(*) FROM idempotency_keys WHERE idempotency_key LIKE 'abandoned%' "
               "AND response_code = 201") == 1;
  })) << completer.output();
  EXPECT_TRUE(eventually([&] {
    return session.number("SELECT count(*) FROM idempotency_keys WHERE idempotency_key LIKE 'finished%'") ==
           0;
  })) << reaper.output();
  EXPECT_TRUE(eventually([&] { return session.number("SELECT count(*) FROM staged_jobs") == 0; }))
      << enqueuer.output();
  for (const ChildProcess* each : {&completer, &enqueuer, &reaper}) {
    EXPECT_NO_THROW(each->wait_for_line("working again"));
    each->kill(SIGTERM);
    const auto exit = each->wait_for_exit(std::chrono::seconds(10));
    ASSERT_TRUE(exit.has_value()) << each->output();
    EXPECT_EQ(exit->code, 0) << each->output();
  }
}

// The server crashes and comes back while clients are at work.
Felt restart(PrivateCluster& cluster, Traffic& traffic) {
  EXPECT_TRUE(traffic.goes_on(200));
  traffic.take_slowest_attempt();
  cluster.crash();
  EXPECT_TRUE(traffic.feels_it());
  cluster.start();
  return felt_by(traffic);
}

TEST(DatabaseOutage, RestartsUnderTrafficLoseNothingAndDoubleNothing) {
  constexpr int kRestarts = 4;
  Ledger ledger;
  PrivateCluster cluster;
  const Environment environment{
      kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}, {"MOCK_LATENCY_MS", "3"}};
  ApiProcess one(cluster.url(), environment);
  ApiProcess other(cluster.url(), environment);
  Traffic traffic({one.port(), other.port()}, 8);
  expect_in_time([&] { return restart(cluster, traffic); }, kRestarts);
  EXPECT_TRUE(traffic.goes_on(200));
  traffic.end();

  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);
  // A restart takes a few seconds. A lease that was not released would block its key for 90 s.
  EXPECT_LT(traffic.longest(), std::chrono::seconds(20));
  SqlSession session(cluster.url());
  expect_same_bytes(session, traffic.rides());
  expect_one_effect_per_key(session, ledger, traffic.done());
}

TEST(DatabaseOutage, WholeHouseSurvivesRestarts) {
  constexpr int kRestarts = 2;
  PrivateCluster cluster;
  Ledger ledger;
  const std::string url = cluster.url();
  const Environment provider{kDefaultDatabaseTimeout,
                             {"MOCK_LEDGER", ledger.path()},
                             {"MOCK_LATENCY_MS", "3"},
                             // Lost answers leave requests for the completer.
                             {"MOCK_LOST_PERCENT", "10"}};
  Environment eager = provider;
  eager.insert({{"DATABASE_URL", url},
                {"COMPLETER_GRACE_S", "0"},
                {"COMPLETER_PAUSE_S", "0"},
                {"COMPLETER_IDLE_MS", "50"}});
  ApiProcess api(url, provider);
  const ChildProcess completer("completer", eager);
  const ChildProcess enqueuer("enqueuer", {kDefaultDatabaseTimeout, {"DATABASE_URL", url}},
                              {"--batch", "50"});
  Traffic traffic({api.port()}, 6);
  expect_in_time([&] { return restart(cluster, traffic); }, kRestarts);
  EXPECT_TRUE(traffic.goes_on(200));
  traffic.end();
  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);

  SqlSession session(url);
  ASSERT_TRUE(eventually([&] { return session.number("SELECT count(*) FROM staged_jobs") == 0; }))
      << enqueuer.output();
  expect_same_bytes(session, traffic.rides());
  expect_one_effect_per_key(session, ledger, traffic.done(), Receipts::kDelivered);
  expect_receipts_delivered(enqueuer, traffic.done());
}

TEST(DatabaseOutage, CutConnectionsLoseNothingAndDoubleNothing) {
  constexpr int kCuts = 40;
  TestDatabase database;
  Ledger ledger;
  ApiProcess api(database,
                 {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}, {"MOCK_LATENCY_MS", "1"}});
  Traffic traffic({api.port()}, 12);
  SqlSession cutter = database.open_session();
  const auto cut_where = [&](const std::string& condition) {
    return cutter.number(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'rocket-rides%' AND " +
        condition);
  };
  for (int i = 0; i < kCuts; ++i) {
    ASSERT_TRUE(traffic.goes_on(30));
    cut_where("true");
  }
  // A transaction is too short to be hit for certain, so one is made to wait.
  SqlSession locker = database.open_session();
  locker.execute("BEGIN; LOCK TABLE rides IN ACCESS EXCLUSIVE MODE");
  EXPECT_TRUE(eventually([&] { return cut_where("wait_event_type = 'Lock'") > 0; }));
  locker.execute("ROLLBACK");
  traffic.end();

  EXPECT_LT(traffic.longest(), std::chrono::seconds(10));
  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);
  expect_same_bytes(cutter, traffic.rides());
  expect_one_effect_per_key(cutter, ledger, traffic.done());
}

}  // namespace
}  // namespace rocket::spec
