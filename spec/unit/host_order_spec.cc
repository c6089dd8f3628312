#include "rocket/pg/host_order.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rocket::spec {
namespace {

using Failure = pg::HostOrder::Failure;
using Hosts = std::vector<std::string>;

Hosts sorted(const pg::HostOrder& order) {
  std::vector<pg::Keywords> servers = pg::servers_in("postgresql://one,two,three/rides");
  order.sort(servers);
  Hosts hosts;
  for (const pg::Keywords& each : servers) hosts.push_back(each.at("host"));
  return hosts;
}

void fail(pg::HostOrder& order, std::size_t index, Failure failure = Failure::kAtOnce) {
  order.add_failure(pg::servers_in("postgresql://one,two,three/rides").at(index), failure);
}

TEST(HostOrder, IsThatOfTheConnectionStringUntilAHostFails) {
  EXPECT_EQ(sorted(pg::HostOrder()), (Hosts{"one", "two", "three"}));
}

TEST(HostOrder, PutsTheHostThatFailedLastAtTheEnd) {
  pg::HostOrder order;
  fail(order, 0);
  EXPECT_EQ(sorted(order), (Hosts{"two", "three", "one"}));
  fail(order, 1);
  EXPECT_EQ(sorted(order), (Hosts{"three", "one", "two"}));
  fail(order, 0);
  EXPECT_EQ(sorted(order), (Hosts{"three", "two", "one"}));
}

TEST(HostOrder, PutsAHostThatTookAllItsTimeBehindThoseThatFailedAtOnce) {
  pg::HostOrder order;
  fail(order, 0, Failure::kTimeOut);
  fail(order, 1);
  EXPECT_EQ(sorted(order), (Hosts{"three", "two", "one"}));
  fail(order, 0);
  EXPECT_EQ(sorted(order), (Hosts{"three", "two", "one"}));
  fail(order, 1);
  EXPECT_EQ(sorted(order), (Hosts{"three", "one", "two"}));
}

TEST(HostOrder, CountsTheFailureOfAnAddressAsItsServersToo) {
  pg::HostOrder order;
  const pg::Keywords one = pg::servers_in("postgresql://one,two,three/rides").at(0);
  std::vector<pg::Keywords> addresses = pg::at_addresses(one, {"192.0.2.1", "192.0.2.2"});
  order.add_failure(addresses.at(0), Failure::kAtOnce);
  EXPECT_EQ(sorted(order), (Hosts{"two", "three", "one"}));
  order.sort(addresses);
  EXPECT_EQ(addresses.at(0).at("hostaddr"), "192.0.2.2");
}

}  // namespace
}  // namespace rocket::spec
