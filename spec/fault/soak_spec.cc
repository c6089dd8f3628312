#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/exacting_client.h"
#include "spec/support/footprint.h"
#include "spec/support/hostile_client.h"
#include "spec/support/parallel_replays.h"
#include "spec/support/requests.h"
#include "spec/support/time_limits.h"

// All kinds of clients at once, for SOAK_SECONDS seconds. The api's memory, descriptors and sessions must not
// grow.
namespace rocket::spec {
namespace {

// The most that the api's memory may grow from the first quarter to the end. A leak of 100 bytes per request
// is twice as much, even on a slow machine. Without a leak the memory hardly changes, also in a longer run.
std::int64_t most_growth_kib(std::int64_t requests) {
  return std::min<std::int64_t>(50 * requests / 1024, 2048);
}

std::chrono::seconds soak_time() {
  const char* seconds = std::getenv("SOAK_SECONDS");  // NOLINT(concurrency-mt-unsafe)
  return std::chrono::seconds(seconds == nullptr ? 20 : std::stoi(seconds));
}

struct Footprint {
  long memory_kib = 0;
  std::size_t descriptors = 0;
  std::int64_t sessions = 0;
};

class HeavySoak : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;

  Footprint footprint() {
    return {memory_of(api_.process().pid()), descriptors_of(api_.process().pid()),
            database_.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                             "application_name LIKE 'rocket-rides%'")};
  }

  // Waits until the api has as many descriptors and sessions as before, and returns its footprint.
  Footprint footprint_like(const Footprint& other) {
    eventually([&] {
      const Footprint now = footprint();
      return now.descriptors == other.descriptors && now.sessions == other.sessions;
    });
    return footprint();
  }

  std::int64_t requests() const {
    std::int64_t all = 0;
    for (const auto& [kind, count] : requests_) all += count;
    return all;
  }

  void run_for(std::chrono::milliseconds time) {
    const auto end = Clock::now() + time;
    std::vector<std::thread> clients;
    // Makes a client that repeats its visit until the end.
    const auto add = [&](const std::string& kind, auto make_visit) {
      clients.emplace_back([=, this] {
        try {
          auto visit = make_visit();
          std::int64_t count = 0;
          while (Clock::now() < end && !HasFailure()) count += visit();
          const std::lock_guard lock(mutex_);
          requests_[kind] += count;
        } catch (const std::exception& error) {
          ADD_FAILURE() << kind << ": " << error.what();
        }
      });
    };
    for (int i = 0; i < 3; ++i) add_exacting(add, "rides and questions", &ExactingClient::ride);
    add_exacting(add, "declined rides", &ExactingClient::declined_ride);
    add_exacting(add, "account, page, health, nothing", &ExactingClient::look_around);
    add("replays, 8 at once", [this] {
      return [this, replays = ParallelReplays(api_, 8), key = new_key(), body = std::string()]() mutable {
        const ClientRequest request = ride_request(key);
        if (body.empty()) body = api_.send(request).body;
        return replays.expect(request, 201, body);
      };
    });
    add_hostile(add, "byte by byte", &HostileClient::dribble);
    add_hostile(add, "half-closed", &HostileClient::half_close);
    add_hostile(add, "reset", &HostileClient::vanish);
    add_hostile(add, "pipelined", &HostileClient::pipeline);
    add_hostile(add, "half a request", &HostileClient::fall_silent);
    add_hostile(add, "random bytes", &HostileClient::send_random_bytes);
    add_hostile(add, "oversize body", &HostileClient::send_an_oversize_body);
    add_hostile(add, "oversize head", &HostileClient::send_an_oversize_head);
    add_hostile(add, "thousand header lines", &HostileClient::send_a_thousand_fields);
    add_hostile(add, "ambiguous length", &HostileClient::send_ambiguous_lengths);
    add_hostile(add, "NUL and invalid UTF-8", &HostileClient::send_what_is_no_text);
    for (auto& each : clients) each.join();
  }

  template <typename Add>
  void add_exacting(const Add& add, const std::string& kind, int (ExactingClient::*act)()) {
    add(kind, [this, act] {
      return [this, act, client = ExactingClient(api_)]() mutable {
        const int answers = (client.*act)();
        const std::lock_guard lock(mutex_);
        longest_wait_ = std::max(longest_wait_, client.longest_wait());
        return answers;
      };
    });
  }

  template <typename Add>
  void add_hostile(const Add& add, const std::string& kind, int (HostileClient::*visit)()) {
    add(kind, [this, visit, seed = ++seeds_] {
      return [visit, client = HostileClient(api_.port(), seed)]() mutable {
        // These clients hardly wait for answers. Without a pause, refusing them would keep all processors
        // busy.
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        return (client.*visit)();
      };
    });
  }

  TestDatabase database_;
  ApiProcess api_{database_,
                  {{"DATABASE_LANES", "2"},
                   {"MOCK_LATENCY_MS", "1"},
                   {"API_REQUEST_TIMEOUT_MS", "3000"},
                   {"API_IDLE_TIMEOUT_MS", "3600000"}}};
  unsigned seeds_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> requests_;
  std::chrono::milliseconds longest_wait_{0};
};

TEST_F(HeavySoak, LeavesNothingBehind) {
  // This connection stays open, so that it is in every count.
  HttpConnection witness = api_.connect();
  ASSERT_EQ(witness.exchange(ride_request(new_key())).status, 201);
  ASSERT_TRUE(are_lanes_connected(database_, 2));
  const Footprint fresh = footprint();
  const std::chrono::milliseconds time = soak_time();
  run_for(time / 4);
  const Footprint before = footprint_like(fresh);
  const std::int64_t requests_before = requests();
  run_for(time - time / 4);
  const Footprint after = footprint_like(fresh);

  for (const auto& [kind, count] : requests_) std::cout << kind << ": " << count << '\n';
  std::cout << "KiB of the api: " << fresh.memory_kib << " at first, " << before.memory_kib
            << " after a quarter, " << after.memory_kib
            << " in the end; longest wait: " << longest_wait_.count() << " ms\n";
  EXPECT_LT(after.memory_kib - before.memory_kib, most_growth_kib(requests() - requests_before));
  EXPECT_EQ(before.descriptors, fresh.descriptors);
  EXPECT_EQ(after.descriptors, fresh.descriptors);
  EXPECT_EQ(before.sessions, fresh.sessions);
  EXPECT_EQ(after.sessions, fresh.sessions);
  EXPECT_LT(longest_wait_, kAnswersWithin);
  // Requests whose clients left are finished too.
  EXPECT_EQ(database_.count("idempotency_keys", "recovery_point <> 'finished'"), 0);
  const std::string log = api_.process().output();
  EXPECT_EQ(log.find(" error "), std::string::npos) << log.substr(log.find(" error ") - 40, 400);
}

}  // namespace
}  // namespace rocket::spec
