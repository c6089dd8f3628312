#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/footprint.h"
#include "spec/support/requests.h"

// Very many clients, most of whom are idle or misbehave.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

// Raises the limit of descriptors to the highest value that this process may have, and returns it.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

class HeavyCrowd : public testing::Test {
 protected:
  // A ride takes far less than a second. The bound allows for busy machines.
  void expect_prompt_ride(const ApiProcess& api) {
    const auto before = Clock::now();
    EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
    EXPECT_LT(Clock::now() - before, std::chrono::seconds(2));
  }

  // The smallest of five medians of fifty rides each, because other load than the crowd may delay rides too.
  Milliseconds usual_ride(const ApiProcess& api) {
    Milliseconds least = Milliseconds::max();
    for (int i = 0; i < 5; ++i) least = std::min(least, median_ride(api));
    return least;
  }

  // Connects, and leaves without waiting for an answer, in one of five ways.
  static void visit(const ApiProcess& api, int way) {
    HttpConnection client = api.connect();
    switch (way % 5) {
      case 0:
        client.send("POST /rides HTTP/1.1\r\nHost: x\r\nContent-Le");
        break;
      case 1:
        client.send(ride_request(new_key()).to_bytes());
        client.reset();
        break;
      case 2:
        client.send(std::string(100'000, 'x'));
        break;
      case 3:
        client.send(get_request("/account").to_bytes() + get_request("/account").to_bytes());
        client.end_sending();
        break;
      default:
        client.send(std::string("\x16\x03\x01\0\xff\n\n", 7));
        client.reset();
    }
  }

  TestDatabase database_;

 private:
  Milliseconds median_ride(const ApiProcess& api) {
    std::vector<Milliseconds> times;
    for (int i = 0; i < 50; ++i) {
      const auto before = Clock::now();
      EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
      times.push_back(Clock::now() - before);
    }
    std::nth_element(times.begin(), times.begin() + 25, times.end());
    return times[25];
  }
};

TEST_F(HeavyCrowd, OfTenThousandIdleClientsDelaysNobody) {
  constexpr std::size_t kClients = 10'000;
  ASSERT_GE(raise_descriptor_limit(), kClients + 3500) << "raise the hard limit of open files (ulimit -H -n)";
  ApiProcess api(database_);
  const Milliseconds usual = usual_ride(api);
  const long before = memory_of(api.process().pid());
  std::vector<HttpConnection> idle;
  idle.reserve(kClients);
  for (std::size_t i = 0; i < kClients; ++i) {
    idle.push_back(api.connect());
    // Some wait in the middle of a request.
    if (i % 3 == 0) idle.back().send("POST /rides HT");
  }
  EXPECT_LT(usual_ride(api), 2 * usual + Milliseconds(2)) << usual.count() << " ms without them";
  EXPECT_LT(memory_of(api.process().pid()) - before, 64 * 1024) << "KiB for them";
  // Idle clients are served as usual when they send a request.
  EXPECT_EQ(idle[1].exchange(get_request("/healthz")).status, 200);
  EXPECT_EQ(idle[kClients / 3 * 3 - 1].exchange(get_request("/account")).status, 200);
}

TEST_F(HeavyCrowd, ThatComesAndGoesLeavesNothingBehind) {
  constexpr int kRounds = 6;
  constexpr int kClients = 2000;
  // At most this many clients are connected at once, so that a slow machine needs no more memory than a fast
  // one.
  constexpr int kAtOnce = 100;
  ApiProcess api(database_, {{"DATABASE_LANES", "2"}});
  ASSERT_TRUE(are_lanes_connected(database_, 2));
  const std::size_t descriptors = descriptors_of(api.process().pid());
  const auto all_have_gone = [&] {
    return eventually([&] { return descriptors_of(api.process().pid()) <= descriptors; }) &&
           eventually([&] { return database_.count("idempotency_keys", "finished_at IS NULL") == 0; });
  };
  std::vector<long> memory;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kClients; ++i) {
      visit(api, i);
      if (i % kAtOnce == kAtOnce - 1) {
        ASSERT_TRUE(all_have_gone());
      }
    }
    expect_prompt_ride(api);
    memory.push_back(memory_of(api.process().pid()));
  }
  EXPECT_LT(memory.back() - memory[1], 4 * 1024) << testing::PrintToString(memory);
}

TEST_F(HeavyCrowd, ThatTakesNoAnswersIsSentAway) {
  ApiProcess api(database_);
  HttpConnection deaf(api.port(), std::chrono::seconds(30));
  std::string many;
  for (int i = 0; i < 100; ++i) many += get_request("/healthz").to_bytes();
  // Sends until the connection breaks. Another error would mean that the server only stopped reading.
  EXPECT_THROW(for (;;) deaf.send(many), std::system_error);
  EXPECT_LT(memory_of(api.process().pid()), 64 * 1024);
  expect_prompt_ride(api);
}

}  // namespace
}  // namespace rocket::spec
