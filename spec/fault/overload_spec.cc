#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"

// Many more requests than the provider can serve.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kLineLimit = 64;

struct Answered {
  ClientResponse response;
  // The time from when the request was due until the answer.
  Milliseconds wait{0};
};

double per_second(std::size_t count, Clock::duration time) {
  return static_cast<double>(count) / std::chrono::duration<double>(time).count();
}

// The wait that this share of the answers does not exceed, in milliseconds.
double percentile_ms(std::vector<Answered> answers, double share) {
  if (answers.empty()) throw std::runtime_error("there are no answers");
  std::sort(answers.begin(), answers.end(), [](const auto& a, const auto& b) { return a.wait < b.wait; });
  const auto index = static_cast<std::size_t>(share * static_cast<double>(answers.size() - 1));
  return answers[index].wait.count();
}

class HeavyOverload : public testing::Test {
 protected:
  // Each client sends this many rides, one at each interval. The clients' due times are spread evenly over an
  // interval. A request that is due before the last answer came is sent right after that answer.
  std::vector<Answered> send_rides(int clients, int rides, Clock::duration interval) {
    std::vector<std::vector<Answered>> answers(static_cast<std::size_t>(clients));
    std::vector<std::thread> threads;
    const auto begin = Clock::now() + kToConnect;
    for (int i = 0; i < clients; ++i) {
      threads.emplace_back([&, i, &own = answers[static_cast<std::size_t>(i)]] {
        try {
          HttpConnection connection = api_.connect();
          auto due = begin + interval * i / clients;
          for (int n = 0; n < rides; ++n, due += interval) {
            std::this_thread::sleep_until(due);
            auto response = connection.exchange(ride_request(new_key()));
            own.push_back({std::move(response), Clock::now() - due});
          }
        } catch (const std::exception& error) {
          ADD_FAILURE() << error.what();
        }
      });
    }
    for (auto& each : threads) each.join();
    duration_ = Clock::now() - begin;
    std::vector<Answered> all;
    for (auto& own : answers) std::move(own.begin(), own.end(), std::back_inserter(all));
    return all;
  }

  // The rate for as many clients as can be served at once. Each sends ten rides, one after another.
  double rides_per_second() {
    const auto answers = send_rides(kLineLimit, 10, Clock::duration::zero());
    for (const auto& each : answers) EXPECT_EQ(each.response.status, 201) << each.response.body;
    return per_second(answers.size(), duration_);
  }

  static constexpr std::chrono::milliseconds kToConnect{200};

  TestDatabase database_;
  ApiProcess api_{database_,
                  {{"MOCK_LATENCY_MS", "200"},
                   {"API_LINE_LIMIT", std::to_string(kLineLimit)},
                   // All rides belong to one user at one address, so that user may use the whole line.
                   {"API_CALLER_SHARE", "100"},
                   {"API_ADDRESS_SHARE", "100"},
                   {"API_PROVIDER_SHARE", "100"}}};
  // How long the last send_rides() took, from when the first ride was due.
  Clock::duration duration_{};
};

TEST_F(HeavyOverload, IsRefusedAtOnceAndCostsTheOthersNothing) {
  // The load lasts about 5 s. Each client has 300 ms for a ride of 200 ms.
  constexpr std::chrono::milliseconds kInterval{300};
  constexpr int kRidesEach = 16;
  const double before = rides_per_second();
  const auto clients = static_cast<int>(before * 5 * std::chrono::duration<double>(kInterval).count());

  const auto answers = send_rides(clients, kRidesEach, kInterval);
  const auto duration = duration_;
  const double after = rides_per_second();

  std::vector<Answered> accepted;
  std::vector<Answered> refused;
  for (const Answered& each : answers) {
    if (each.response.status == 201) {
      accepted.push_back(each);
      continue;
    }
    refused.push_back(each);
    ASSERT_EQ(each.response.status, 503) << each.response.body;
    ASSERT_EQ(each.response.code(), "overloaded");
    ASSERT_EQ(each.response.count("retry-after"), 1U);
    ASSERT_GE(std::stoi(each.response.header("retry-after")), 1);
  }
  EXPECT_GE(per_second(answers.size(), duration), 4 * before) << "the load was not what it should be";
  EXPECT_GE(per_second(accepted.size(), duration), 0.8 * before);
  EXPECT_LT(percentile_ms(accepted, 0.99), 500);
  EXPECT_LT(percentile_ms(refused, 0.5), 50);
  // Measured over the next two seconds, of which half a second may be lost.
  EXPECT_GE(after, 0.8 * before);
  // A refusal leaves no trace.
  const auto done = static_cast<std::int64_t>(accepted.size()) + 2 * 10 * kLineLimit;
  EXPECT_EQ(database_.count("rides"), done);
  EXPECT_EQ(database_.count("idempotency_keys"), done);
}

}  // namespace
}  // namespace rocket::spec
