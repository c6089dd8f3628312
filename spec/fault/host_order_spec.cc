#include <gtest/gtest.h>

#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "spec/fault/private_cluster.h"
#include "spec/support/api_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/requests.h"
#include "spec/support/sql_session.h"
#include "spec/support/test_database.h"

// Servers whose answers are misleading when a connection begins.
namespace rocket::spec {
namespace {

// A primary that lost its standby. It accepts connections and statements, but no commit ends.
TEST(HostThatCannotCommit, ComesLastForNewConnections) {
  const PrivateCluster stuck;
  const PrivateCluster good;
  const Ledger ledger;
  const ApiProcess api(
      "postgresql://postgres@" + stuck.address() + "," + good.address() + "/rides?sslmode=disable",
      {kDefaultDatabaseTimeout, {"MOCK_LEDGER", ledger.path()}});
  ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
  SqlSession on_stuck(stuck.url());
  SqlSession on_good(good.url());
  ASSERT_EQ(on_stuck.number("SELECT count(*) FROM rides"), 1);
  on_stuck.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
  on_stuck.execute("SELECT pg_reload_conf()");

  // Each lane moves to the good server once it has noticed. After that no lane goes back, even when its
  // connection is ended.
  const std::string ours = " FROM pg_stat_activity WHERE application_name LIKE 'rocket-rides%'";
  ASSERT_TRUE(eventually([&] {
    std::vector<std::future<ClientResponse>> both_lanes;
    for (int i = 0; i < 2; ++i) {
      both_lanes.push_back(std::async(std::launch::async, [&] { return api.send(ride_request(new_key())); }));
    }
    for (auto& answer : both_lanes) answer.get();
    return on_good.number("SELECT count(*)" + ours) == 2;
  }));
  EXPECT_GT(on_good.number("SELECT count(*) FROM rides"), 0);
  const std::string since = on_stuck.value("SELECT now()");
  for (int i = 0; i < 3; ++i) {
    on_good.rows("SELECT pg_terminate_backend(pid, 5000)" + ours);
    EXPECT_TRUE(eventually([&] { return api.send(ride_request(new_key())).status == 201; }));
  }
  EXPECT_EQ(on_stuck.number("SELECT count(*)" + ours + " AND backend_start > $1::timestamptz", {since}), 0);
}

// A session pooler repeats the settings that the server reported when the pooler connected. A promotion since
// then does not show in them.
TEST(PoolerThatRemembersAStandby, IsNotBelieved) {
  TestDatabase database;
  CuttingProxy pooler(database.url());
  pooler.edit_answers([](std::vector<unsigned char>& message) {
    using namespace std::string_view_literals;
    constexpr auto kNow = "S\0\0\0\x17in_hot_standby\0off\0"sv;
    constexpr auto kThen = "S\0\0\0\x16in_hot_standby\0on\0"sv;
    if (std::string_view(reinterpret_cast<const char*>(message.data()), message.size()) == kNow) {
      message.assign(kThen.begin(), kThen.end());
    }
  });
  for (const char* wanted : {"any", "read-write", "primary"}) {
    const ApiProcess api(url_with(pooler.url(), {{"target_session_attrs", wanted}}), {});
    EXPECT_EQ(api.send(ride_request(new_key())).status, 201) << wanted;
    EXPECT_EQ(api.send(get_request("/readyz")).status, 200) << wanted;
  }
}

}  // namespace
}  // namespace rocket::spec
