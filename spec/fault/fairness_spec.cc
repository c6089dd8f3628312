#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// One client sends very many requests. Others must not wait for them.
namespace rocket::spec {
namespace {

// Sends requests on many connections. Each connection sends the next request as soon as it has an answer. It
// stops when it is destroyed, or after kMaxEach requests each: a client that was only served after that had
// to wait for the whole crowd.
class Crowd {
 public:
  Crowd(const ApiProcess& api, int connections, std::function<ClientRequest(int)> request) {
    for (int i = 0; i < connections; ++i) {
      threads_.emplace_back([this, &api, i, request] {
        try {
          HttpConnection connection = api.connect();
          for (int n = 0; n < kMaxEach && !enough_; ++n) {
            connection.exchange(request(i));
            ++answered_;
          }
        } catch (const std::exception& error) {
          ADD_FAILURE() << error.what();
        }
      });
    }
  }
  ~Crowd() {
    enough_ = true;
    for (std::thread& each : threads_) each.join();
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  int answered() const { return answered_; }
  // Whether the crowd has sent all its requests by itself.
  bool has_ended() const { return answered_ == kMaxEach * static_cast<int>(threads_.size()); }

 private:
  static constexpr int kMaxEach = 1000;
  std::atomic<bool> enough_{false};
  std::atomic<int> answered_{0};
  std::vector<std::thread> threads_;
};

// The default of DATABASE_BATCH_LIMIT.
constexpr int kBatch = 64;

struct CrowdKind {
  const char* name;
  int connections;
  std::function<ClientRequest(int)> request;
};

void PrintTo(const CrowdKind& kind, std::ostream* out) { *out << kind.name; }

class HeavyFairness : public testing::TestWithParam<CrowdKind> {};

// Counts the answers that the crowd gets while another client waits for one, because that number does not
// depend on the machine's speed. At worst these are the answers of the batch under way and of the next batch.
// Uses the second best of several tries, because other load may delay some: a crowd that does hold up others
// holds up all of them.
TEST_P(HeavyFairness, ACrowdHoldsUpNobodyElse) {
  const TestDatabase database;
  const ApiProcess api(database, {{"DATABASE_LANES", "1"}});
  const Crowd crowd(api, GetParam().connections, GetParam().request);
  ASSERT_TRUE(eventually([&] { return crowd.answered() > 4 * GetParam().connections; }));
  const std::vector<std::pair<std::string, std::function<ClientRequest()>>> others{
      {"readiness", [] { return get_request("/readyz"); }},
      {"account", [] { return get_request("/account"); }},
      {"ride", [] { return ride_request(new_key()); }},
      {"deposit", [] { return deposit_request(kUser, "1"); }}};
  HttpConnection connection = api.connect();
  for (const auto& [what, request] : others) {
    std::array<int, 5> answered{};
    for (int& meanwhile : answered) {
      const int before = crowd.answered();
      const ClientResponse answer = connection.exchange(request());
      EXPECT_TRUE(answer.status == 200 || answer.status == 201) << what << ": " << answer.body;
      meanwhile = crowd.answered() - before;
    }
    std::sort(answered.begin(), answered.end());
    EXPECT_LT(answered[1], 3 * kBatch) << what;
    ASSERT_FALSE(crowd.has_ended()) << what << " was served after the crowd";
  }
}

const std::vector<CrowdKind>& crowds() {
  static const std::vector<std::string> keys{new_key(), new_key()};
  static const std::vector<CrowdKind> kinds{
      {"RepeatsOfTwoKeys", 32, [](int i) { return ride_request(keys[i % 2 == 0 ? 0 : 1], kDeclinedUser); }},
      {"RepeatsOfStrangers", 32,
       [](int i) { return ride_request(keys[i % 2 == 0 ? 0 : 1], "nobody@example.com"); }},
      {"DepositsWithoutKey", 4 * kBatch, [](int) { return deposit_request(kDeclinedUser, "1"); }},
      {"Cancellations", 4 * kBatch, [](int) { return cancel_request("1", kDeclinedUser); }},
      {"Rides", 4 * kBatch, [](int) { return ride_request(new_key(), kDeclinedUser); }}};
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Of, HeavyFairness, testing::ValuesIn(crowds()),
                         [](const auto& kind) { return std::string(kind.param.name); });

// One ride is finished at the beginning. All later rides stay in their call until the test ends.
class SlowProviderSpec : public testing::Test {
 protected:
  SlowProviderSpec() {
    database_.execute(
        "INSERT INTO users (email, stripe_customer_id) "
        "SELECT 'rider-' || i || '@example.com', 'cus_rider_' || i FROM generate_series(1, 9) i");
    const ApiProcess quick(database_);
    EXPECT_EQ(quick.send(ride_request(finished_)).status, 201);
  }

  static std::string rider(int number) { return "rider-" + std::to_string(number) + "@example.com"; }

  // Starts this many rides of a user, which stay in their call.
  void leave_rides(const std::string& user, int count) {
    // From now on the api knows this user.
    EXPECT_EQ(api_.send(get_request("/account", user)).status, 200);
    const auto before = database_.count("rides");
    for (int i = 0; i < count; ++i) {
      waiting_.push_back(api_.connect());
      waiting_.back().send(ride_request(new_key(), user).to_bytes());
    }
    ASSERT_TRUE(eventually([&] { return database_.count("rides") == before + count; }));
  }

  void expect_others_are_served() {
    EXPECT_EQ(api_.send(get_request("/account")).status, 200);
    EXPECT_EQ(api_.send(deposit_request(kUser, "1")).status, 201);
    const ClientResponse replayed = api_.send(ride_request(finished_));
    EXPECT_EQ(replayed.status, 201) << replayed.body;
    EXPECT_EQ(replayed.header("idempotent-replayed"), "true");
    EXPECT_EQ(api_.send(get_request("/readyz")).status, 200);
  }

  TestDatabase database_;
  const std::string finished_ = new_key();
  // Ten places for each caller, and thirty for requests that call the provider.
  ApiProcess api_{database_, {{"MOCK_LATENCY_MS", "60000"}, {"API_LINE_LIMIT", "40"}}};
  std::vector<HttpConnection> waiting_;
};

TEST_F(SlowProviderSpec, OneUsersRidesLeaveRoomForOthers) {
  leave_rides(rider(1), 10);
  const ClientResponse refused = api_.send(ride_request(new_key(), rider(1)));
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_EQ(refused.code(), "too_many_requests");
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(api_.send(get_request("/account", rider(1))).status, 429);
  expect_others_are_served();
  EXPECT_EQ(database_.count("idempotency_keys", "finished_at IS NULL"), 10);
}

TEST_F(SlowProviderSpec, EverybodysRidesLeaveRoomForWhatNeedsNoProvider) {
  for (int user = 1; user <= 3; ++user) leave_rides(rider(user), 10);
  expect_others_are_served();
  const std::string key = new_key();
  const ClientResponse refused = api_.send(ride_request(key));
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(refused.code(), "overloaded");
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(database_.count("idempotency_keys", "idempotency_key = '" + key + "'"), 0);
  // Answers that need no work on the key are still given.
  const ClientResponse reused = api_.send(ride_request(finished_, kUser, own_coordinates().form));
  EXPECT_EQ(reused.code(), "idempotency_key_reused") << reused.body;
  const ClientResponse unknown = api_.send(ride_request(new_key(), "nobody@example.com"));
  EXPECT_EQ(unknown.status, 401) << unknown.body;
}

}  // namespace
}  // namespace rocket::spec
