#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/exacting_client.h"
#include "spec/support/hostile_client.h"
#include "spec/support/requests.h"

// An answer must never reach another client whose connection got the same file descriptor number.
namespace rocket::spec {
namespace {

class CrossTalk : public testing::TestWithParam<std::string> {};

TEST_P(CrossTalk, EveryClientGetsItsOwnAnswers) {
  constexpr std::int64_t kAnswers = 3'000;
  constexpr std::int64_t kVisits = 1'200;
  constexpr unsigned kClientsOfEachKind = 12;
  TestDatabase database;
  ApiProcess api(database, {{"MOCK_LATENCY_MS", "1"}, {"API_THREADS", GetParam()}});
  std::atomic<std::int64_t> answered{0};
  std::atomic<std::int64_t> visits{0};
  const auto enough = [&] {
    return testing::Test::HasFailure() || (answered >= kAnswers && visits >= kVisits);
  };

  std::vector<std::thread> clients;
  for (unsigned i = 0; i < kClientsOfEachKind; ++i) {
    clients.emplace_back([&] {
      try {
        ExactingClient client(api);
        while (!enough()) answered += client.ride();
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
    clients.emplace_back([&, i] {
      HostileClient client(api.port(), i + 1);
      while (!enough()) {
        // Visitors do not wait for answers, so without a pause they would only fill the line.
        while (visits * 2 > answered + 100 && !enough())
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        visits += client.vanish();
      }
    });
  }
  for (auto& each : clients) each.join();

  EXPECT_GE(answered + visits, kAnswers + kVisits);
  EXPECT_TRUE(api.process().running()) << api.process().output();
  // The api itself reports that it is ready: nothing of the visitors is left.
  EXPECT_EQ(api.send(get_request("/readyz")).status, 200);
  expect_good_end(api.process());
}

INSTANTIATE_TEST_SUITE_P(WithReactors, CrossTalk, testing::Values("1", "2"));

}  // namespace
}  // namespace rocket::spec
