#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/footprint.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// More connections than the api's limit allows, or than it has descriptors for.
namespace rocket::spec {
namespace {

using std::chrono::milliseconds;

// The status of the answer; 0 if the connection ends without one.
int status_of(HttpConnection& connection, const ClientRequest& request) {
  try {
    return connection.exchange(request).status;
  } catch (const std::exception&) {
    return 0;
  }
}

int health(HttpConnection& connection) { return status_of(connection, get_request("/healthz")); }

// Sends a request on a new connection.
bool is_served(const ApiProcess& api) {
  try {
    HttpConnection connection = api.connect();
    return health(connection) == 200;
  } catch (const std::exception&) {
    return false;
  }
}

// Expects little processor time while no requests come. An idle api uses less than a tenth of this limit. A
// thread that spins uses the whole second.
void expect_idle(ApiProcess& api) {
  const auto before = processor_time_of(api.process().pid());
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LT(processor_time_of(api.process().pid()) - before, milliseconds(400));
}

std::vector<HttpConnection> fill(const ApiProcess& api, int count) {
  std::vector<HttpConnection> connections;
  for (int i = 0; i < count; ++i) {
    connections.push_back(api.connect());
    EXPECT_EQ(health(connections.back()), 200);
  }
  return connections;
}

TEST(ConnectionLimits, CloseTheSurplusAtOnceEvenIfItSends) {
  const TestDatabase database;
  const ApiProcess api(database, {{"API_MAX_CONNECTIONS", "10"}});
  std::vector<HttpConnection> connections = fill(api, 10);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(is_served(api));
  for (HttpConnection& each : connections) EXPECT_EQ(health(each), 200);
  connections.pop_back();
  EXPECT_TRUE(eventually([&] { return is_served(api); }));
}

TEST(ConnectionLimits, HoldForOneAddress) {
  const TestDatabase database;
  const ApiProcess api(database, {{"API_MAX_CONNECTIONS_PER_ADDRESS", "3"}});
  std::vector<HttpConnection> connections = fill(api, 3);
  EXPECT_FALSE(is_served(api));
  connections.pop_back();
  EXPECT_TRUE(eventually([&] { return is_served(api); }));
}

class DescriptorLimit : public testing::TestWithParam<int> {};

TEST_P(DescriptorLimit, LeavesEnoughForTheDatabaseAndTheProvider) {
  const TestDatabase database;
  const PaymentProvider provider;
  ApiProcess api(database, provider.environment(), OpenFiles{GetParam()});
  std::vector<HttpConnection> clients;
  for (int i = 0; i < 3 * GetParam(); ++i) clients.push_back(api.connect());
  std::vector<HttpConnection*> in;
  for (HttpConnection& each : clients) {
    if (health(each) == 200) in.push_back(&each);
  }
  EXPECT_GE(in.size(), 4U);
  expect_idle(api);
  for (int round = 0; round < 3; ++round) {
    for (HttpConnection* each : in) each->send(ride_request(new_key()).to_bytes());
    for (HttpConnection* each : in) {
      const ClientResponse answer = each->receive();
      EXPECT_EQ(answer.status, 201) << answer.body;
    }
  }
  EXPECT_EQ(provider.charges().size(), 3 * in.size());
  clients.clear();
  EXPECT_TRUE(eventually([&] { return is_served(api); }));
}

INSTANTIATE_TEST_SUITE_P(Of, DescriptorLimit, testing::Values(64, 128, 256));

TEST(ConnectionLimits, OfTheMachineMakeItPause) {
  const TestDatabase database;
  ApiProcess api(database);
  ASSERT_EQ(api.send(get_request("/account")).status, 200);
  const pid_t pid = api.process().pid();
  rlimit before{};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
  HttpConnection waiting = api.connect();
  waiting.send(get_request("/healthz").to_bytes());
  expect_idle(api);
  EXPECT_FALSE(waiting.has_input(milliseconds(0)));
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &before, nullptr), 0);
  EXPECT_EQ(waiting.receive().status, 200);
}

}  // namespace
}  // namespace rocket::spec
