#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "rocket/pg/connection_string.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// The database's URL has a host name. The name server is silent, or returns two addresses.
namespace rocket::spec {
namespace {

constexpr const char* kSilent = "postgresql://rides@database.silent.test/rides?sslmode=disable";

Environment with_names(Environment others = {}) {
  others.emplace("DATABASE_ALLOW_PLAINTEXT", "on");
  others["LD_PRELOAD"] = SPEC_NAME_SERVER;
  return others;
}

TEST(SilentNameServer, MakesTheDatabaseUnavailable) {
  ApiProcess api(kSilent, with_names({kDefaultDatabaseTimeout}));
  // The limits hold for the first request too, which comes while the lane connects.
  expect_in_time([&] {
    return Felt{time_of([&] {
                  const ClientResponse refused = api.send(ride_request(new_key()));
                  EXPECT_EQ(refused.status, 503);
                  EXPECT_EQ(refused.code(), "database_unavailable");
                }),
                std::chrono::milliseconds(0)};
  });
  EXPECT_NO_THROW(api.process().wait_for_line("database is away"));
  expect_good_end(api.process());
}

class SilentNameServerForA : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Each, SilentNameServerForA,
                         testing::Values("completer", "enqueuer", "reaper", "simulator"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(SilentNameServerForA, DoesNotKeepItFromEnding) {
  const ChildProcess process(GetParam(), with_names({kDefaultDatabaseTimeout, {"DATABASE_URL", kSilent}}));
  EXPECT_NO_THROW(process.wait_for_line("no address of"));
  expect_good_end(process);
}

TEST(NameWithTwoAddresses, IsServedByTheSecondWhileTheFirstSaysNothing) {
  const TestDatabase database;
  const CuttingProxy second(database.url());
  const auto port = static_cast<std::uint16_t>(std::stoi(pg::servers_in(second.url()).front().at("port")));
  // The kernel completes the connections to this address, but nobody accepts them.
  asio::io_context context;
  const asio::ip::tcp::acceptor first(context,
                                      asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.2"), port));

  const ApiProcess api(url_with(second.url(), {{"host", "two.test"}}), with_names({kDefaultDatabaseTimeout}));
  const std::string key = new_key();
  // The api may refuse while it connects for the first time.
  EXPECT_TRUE(eventually([&] { return api.send(ride_request(key)).status == 201; }));
}

}  // namespace
}  // namespace rocket::spec
