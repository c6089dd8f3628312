#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/mute_server.h"
#include "spec/support/requests.h"

// A database that is away is asked whether it is back, and not more often than that takes.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;

std::string url_of(const MuteServer& server) { return "postgresql://rides@" + server.address() + "/rides"; }

std::vector<std::chrono::milliseconds> pauses(const MuteServer& server) {
  std::vector<std::chrono::milliseconds> pauses;
  const auto arrivals = server.arrivals();
  for (std::size_t i = 1; i < arrivals.size(); ++i) {
    pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(arrivals[i] - arrivals[i - 1]));
  }
  return pauses;
}

struct Worker {
  std::string name;
  std::size_t connections;
  // In three seconds. Far more than backing off makes, far less than asking all the time does.
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
  const ChildProcess process(GetParam().name, {{"DATABASE_URL", url_of(server)}, {"API_PORT", "0"}});
  ASSERT_TRUE(eventually([&] { return !server.arrivals().empty(); })) << process.output();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  const std::size_t attempts = server.arrivals().size();
  EXPECT_GE(attempts, 3 * GetParam().connections) << "it should try again";
  EXPECT_LE(attempts, GetParam().most_attempts);
}

TEST(WhileTheDatabaseIsAway, RequestsDoNotMakeAnApiAskMoreOften) {
  const MuteServer server(MuteServer::Manner::kHangsUp);
  const ApiProcess api(url_of(server), {});
  HttpConnection connection = api.connect();
  const auto end = Clock::now() + std::chrono::seconds(2);
  int refused = 0;
  for (; Clock::now() < end; ++refused) {
    const ClientResponse answer = connection.exchange(ride_request(new_key()));
    ASSERT_EQ(answer.status, 503) << answer.body;
    ASSERT_EQ(answer.code(), "database_unavailable");
    ASSERT_NE(answer.header("retry-after"), "");
  }
  EXPECT_GT(refused, 50);
  EXPECT_LE(server.arrivals().size(), 45U);
}

// Processes that lost the same server do not come back at the same moments.
TEST(WhileTheDatabaseIsAway, ProcessesWaitForDifferentTimes) {
  for (const char* program : {"api", "enqueuer"}) {
    const MuteServer one(MuteServer::Manner::kHangsUp);
    const MuteServer other(MuteServer::Manner::kHangsUp);
    Environment environment{{"DATABASE_URL", url_of(one)}, {"DATABASE_LANES", "1"}, {"API_PORT", "0"}};
    const ChildProcess first(program, environment);
    environment["DATABASE_URL"] = url_of(other);
    const ChildProcess second(program, environment);
    const std::size_t count = program == std::string("api") ? 7 : 4;
    ASSERT_TRUE(eventually([&] { return pauses(one).size() >= count && pauses(other).size() >= count; }));
    int different = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto difference = pauses(one)[i] - pauses(other)[i];
      if (std::chrono::abs(difference) > std::chrono::milliseconds(5)) ++different;
    }
    EXPECT_GE(different, 2) << program;
  }
}

}  // namespace
}  // namespace rocket::spec
