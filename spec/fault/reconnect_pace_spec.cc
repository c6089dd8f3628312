#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/footprint.h"
#include "spec/support/mute_server.h"
#include "spec/support/requests.h"

// While the database is away, processes try to connect again, but not too often.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string url_of(const MuteServer& server) { return "postgresql://rides@" + server.address() + "/rides"; }

std::vector<milliseconds> pauses(const MuteServer& server) {
  std::vector<milliseconds> pauses;
  const auto arrivals = server.arrivals();
  for (std::size_t i = 1; i < arrivals.size(); ++i) {
    pauses.push_back(std::chrono::duration_cast<milliseconds>(arrivals[i] - arrivals[i - 1]));
  }
  return pauses;
}

struct Worker {
  std::string name;
  std::size_t connections;
  // The limit of attempts in three seconds. Backing off makes far fewer attempts; trying without a pause
  // makes far more.
  std::size_t most_attempts;
};

void PrintTo(const Worker& worker, std::ostream* out) { *out << worker.name; }

class WhileTheDatabaseIsAway : public testing::TestWithParam<Worker> {};

INSTANTIATE_TEST_SUITE_P(Each, WhileTheDatabaseIsAway,
                         testing::Values(Worker{"api", 2, 60}, Worker{"completer", 3, 75},
                                         Worker{"enqueuer", 1, 12}, Worker{"reaper", 1, 12}),
                         [](const auto& each) { return each.param.name; });

TEST_P(WhileTheDatabaseIsAway, AProcessDoesNotHammerIt) {
  const MuteServer server(MuteServer::Manner::kHangsUp);
  const ChildProcess process(GetParam().name,
                             {kDefaultDatabaseTimeout, {"DATABASE_URL", url_of(server)}, {"API_PORT", "0"}});
  ASSERT_TRUE(eventually([&] { return !server.arrivals().empty(); })) << process.output();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  const std::size_t attempts = server.arrivals().size();
  EXPECT_GE(attempts, 3 * GetParam().connections) << "it should try again";
  EXPECT_LE(attempts, GetParam().most_attempts);
}

TEST(WhileTheDatabaseIsAway, RequestsDoNotMakeAnApiAskMoreOften) {
  const MuteServer server(MuteServer::Manner::kHangsUp);
  const ApiProcess api(url_of(server), {kDefaultDatabaseTimeout});
  HttpConnection connection = api.connect();
  const auto begin = Clock::now();
  for (int refused = 0; refused < 60 || Clock::now() < begin + std::chrono::seconds(2); ++refused) {
    const ClientResponse answer = connection.exchange(ride_request(new_key()));
    ASSERT_EQ(answer.status, 503) << answer.body;
    ASSERT_EQ(answer.code(), "database_unavailable");
    ASSERT_NE(answer.header("retry-after"), "");
  }
  // The limit grows with the time taken, because a slow machine takes longer for the same number of requests.
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin).count();
  EXPECT_LE(server.arrivals().size(), static_cast<std::size_t>(45 * took / 2000));
}

TEST(WhileTheDatabaseIsAway, AttemptsLeaveNoDescriptorsBehind) {
  const MuteServer server(MuteServer::Manner::kHangsUp);
  ApiProcess api(url_of(server), {kDefaultDatabaseTimeout, {"DATABASE_LANES", "1"}});
  const auto descriptors_after = [&](std::size_t attempts) {
    EXPECT_TRUE(eventually([&] { return server.arrivals().size() >= attempts; }));
    return descriptors_of(api.process().pid());
  };
  const std::size_t early = descriptors_after(3);
  // Either count may include an attempt under way, which has two descriptors: libpq's and ours.
  EXPECT_LE(descriptors_after(12), early + 2);
}

struct Patience {
  std::string program;
  // From the pause with this index on, pauses are much longer than the first. `count` pauses are measured.
  std::size_t later;
  std::size_t count;
};

void PrintTo(const Patience& patience, std::ostream* out) { *out << patience.program; }

class PausesOfProcesses : public testing::TestWithParam<Patience> {};

INSTANTIATE_TEST_SUITE_P(Each, PausesOfProcesses,
                         testing::Values(Patience{"api", 4, 7}, Patience{"enqueuer", 2, 4}),
                         [](const auto& each) { return each.param.program; });

// Tests backoff and jitter. With jitter, processes that lost the same server do not come back at the same
// moment.
TEST_P(PausesOfProcesses, GrowAndDiffer) {
  constexpr std::size_t kProcesses = 4;
  const auto& [program, later, count] = GetParam();
  std::vector<std::unique_ptr<MuteServer>> servers;
  std::vector<std::unique_ptr<ChildProcess>> processes;
  for (std::size_t i = 0; i < kProcesses; ++i) {
    servers.push_back(std::make_unique<MuteServer>(MuteServer::Manner::kHangsUp));
    const Environment environment{kDefaultDatabaseTimeout,
                                  {"DATABASE_URL", url_of(*servers.back())},
                                  {"DATABASE_LANES", "1"},
                                  {"API_PORT", "0"}};
    processes.push_back(std::make_unique<ChildProcess>(program, environment));
  }
  milliseconds first{0};
  milliseconds of_later{0};
  milliseconds difference{0};
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<milliseconds> nth;
    for (const auto& server : servers) {
      ASSERT_TRUE(eventually([&] { return pauses(*server).size() > i; }));
      nth.push_back(pauses(*server)[i]);
    }
    const milliseconds sum = std::accumulate(nth.begin(), nth.end(), milliseconds(0));
    if (i == 0) first = sum;
    if (i < later) continue;
    of_later += sum;
    const auto [shortest, longest] = std::minmax_element(nth.begin(), nth.end());
    difference = std::max(difference, *longest - *shortest);
  }
  const auto average = of_later.count() / static_cast<std::int64_t>(count - later);
  EXPECT_GT(average, 2 * first.count());
  // Without jitter, only the machine's load makes a difference. With jitter, the difference is smaller than
  // 30 ms only once in 50,000 runs.
  EXPECT_GT(difference.count(), 30);
}

}  // namespace
}  // namespace rocket::spec
