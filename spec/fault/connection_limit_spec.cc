#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/private_cluster.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// The server has no connection left to give (SQLSTATE 53300).
namespace rocket::spec {
namespace {

class NoConnectionLeft : public testing::Test {
 protected:
  // Takes all free connections of the server, also those that become free meanwhile.
  void take_all() {
    for (;;) {
      try {
        crowd_.push_back(std::make_unique<SqlSession>(cluster_.url()));
      } catch (const std::runtime_error& full) {
        ASSERT_NE(std::string(full.what()).find("too many clients"), std::string::npos) << full.what();
        return;
      }
    }
  }

  void end_connections_of_the_api() {
    session_.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'rocket%'");
  }

  // Returns the time that the refusal takes.
  static std::chrono::milliseconds expect_refused(const ApiProcess& api) {
    ClientResponse refused;
    const auto time = time_of([&] { refused = api.send(ride_request(new_key())); });
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_EQ(refused.code(), "database_unavailable");
    EXPECT_NE(refused.header("retry-after"), "");
    EXPECT_EQ(api.send(get_request("/healthz")).status, 200);
    EXPECT_EQ(api.send(get_request("/readyz")).status, 503);
    return time;
  }

  // No connection is kept for superusers, such as the specs are.
  PrivateCluster cluster_{{"max_connections=30", "superuser_reserved_connections=0"}};
  SqlSession session_{cluster_.url()};
  Ledger ledger_;
  std::vector<std::unique_ptr<SqlSession>> crowd_;
};

TEST_F(NoConnectionLeft, AnApiMayStartThen) {
  int starts = 0;
  expect_in_time([&] {
    ++starts;
    take_all();
    const ApiProcess api(cluster_.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger_.path()}});
    Felt felt;
    felt.slowest_answer = expect_refused(api);
    crowd_.clear();
    felt.until_served = time_of([&, key = new_key()] {
      EXPECT_TRUE(eventually([&] { return api.send(ride_request(key)).status == 201; }));
    });
    return felt;
  });
  expect_one_effect_per_key(session_, ledger_, starts);
}

TEST_F(NoConnectionLeft, ButOneServesAll) {
  take_all();
  crowd_.pop_back();
  ApiProcess api(cluster_.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger_.path()}});
  ASSERT_TRUE(eventually([&] { return api.send(get_request("/readyz")).status == 200; }));
  // The api wants two connections, so one of them fails.
  ASSERT_TRUE(
      eventually([&] { return api.process().output().find("database is away") != std::string::npos; }));
  constexpr int kRides = 10;
  for (int i = 0; i < kRides; ++i) {
    const ClientResponse answer = api.send(ride_request(new_key()));
    EXPECT_EQ(answer.status, 201) << answer.body;
    EXPECT_EQ(api.send(get_request("/readyz")).status, 200);
  }
  expect_one_effect_per_key(session_, ledger_, kRides);
}

TEST_F(NoConnectionLeft, TrafficGoesOnAsSoonAsThereIsRoom) {
  ApiProcess api(cluster_.url(), {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger_.path()}});
  Traffic traffic({api.port()}, 4);
  ASSERT_TRUE(eventually([&] { return traffic.done() > 50; }));
  expect_in_time([&] {
    // Otherwise the api would take the free connections first.
    api.process().kill(SIGSTOP);
    EXPECT_TRUE(eventually([&] {
      end_connections_of_the_api();
      take_all();
      return session_.number("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rocket%'") ==
             0;
    }));
    api.process().kill(SIGCONT);
    traffic.take_slowest_attempt();
    const auto until_refused = expect_refused(api);
    EXPECT_TRUE(traffic.feels_it());
    crowd_.clear();
    Felt felt = felt_by(traffic);
    felt.slowest_answer = std::max(felt.slowest_answer, until_refused);
    return felt;
  });
  traffic.end();

  EXPECT_LT(traffic.slowest_attempt(), kAnswersWithin);
  expect_same_bytes(session_, traffic.rides());
  expect_one_effect_per_key(session_, ledger_, traffic.done());
}

}  // namespace
}  // namespace rocket::spec
