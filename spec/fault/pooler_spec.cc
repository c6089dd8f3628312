#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <string>
#include <vector>

#include "spec/fault/effects.h"
#include "spec/fault/traffic.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/ledger.h"
#include "spec/support/pg_bouncer.h"
#include "spec/support/requests.h"

// PgBouncer between us and the database.
namespace rocket::spec {
namespace {

constexpr const char* kRefusal = "it must pool sessions";

class Pooler : public testing::Test {
 protected:
  Environment environment() const { return {{"MOCK_LEDGER", ledger_.path()}}; }

  // Sends this many requests at once, each on its own connection.
  static std::vector<ClientResponse> responses(const ApiProcess& api, int requests) {
    std::vector<std::future<ClientResponse>> answers;
    answers.reserve(static_cast<std::size_t>(requests));
    for (int i = 0; i < requests; ++i) {
      answers.push_back(std::async(std::launch::async, [&] { return api.send(ride_request(new_key())); }));
    }
    std::vector<ClientResponse> responses;
    responses.reserve(answers.size());
    for (auto& answer : answers) responses.push_back(answer.get());
    return responses;
  }
  static std::multiset<int> statuses(const ApiProcess& api, int requests) {
    std::multiset<int> statuses;
    for (const ClientResponse& response : responses(api, requests)) statuses.insert(response.status);
    return statuses;
  }

  TestDatabase database_;
  Ledger ledger_;
};

TEST_F(Pooler, OfSessionsIsNotFelt) {
  const PgBouncer pooler("session");
  const std::string url = pooler.url(database_);
  const ApiProcess api(url, environment());
  const ChildProcess completer("completer", {{"DATABASE_URL", url}});
  const ChildProcess reaper("reaper", {{"DATABASE_URL", url}});
  const ChildProcess enqueuer("enqueuer", {{"DATABASE_URL", url}, {"ENQUEUER_IDLE_MS", "20"}});
  Traffic traffic({api.port()}, 12);
  ASSERT_TRUE(traffic.goes_on(200));
  traffic.end();
  EXPECT_EQ(traffic.retried(), 0);
  ASSERT_TRUE(eventually([&] { return database_.count("staged_jobs") == 0; }));
  for (const ChildProcess* process : {&completer, &reaper, &enqueuer}) expect_good_end(*process);
  EXPECT_THAT(completer.output() + reaper.output() + enqueuer.output(),
              testing::Not(testing::HasSubstr("cannot work")));
  SqlSession session = database_.open_session();
  expect_same_bytes(session, traffic.rides());
  expect_one_effect_per_key(session, ledger_, traffic.done(), Receipts::kDelivered);
}

TEST_F(Pooler, OfSessionsThatForgetsNothingIsNotFelt) {
  const PgBouncer pooler("session", "server_reset_query =");
  for (int i = 0; i < 3; ++i) {
    const ApiProcess api(pooler.url(database_), environment());
    EXPECT_EQ(statuses(api, 8), std::multiset<int>({201, 201, 201, 201, 201, 201, 201, 201}));
  }
}

// Sessions that take turns may go well. So requests come at once, until one does not.
TEST_F(Pooler, OfTransactionsIsRefusedInOneSentence) {
  const PgBouncer pooler("transaction");
  ApiProcess api(pooler.url(database_), environment());
  std::int64_t rides = 0;
  std::int64_t refused = 0;
  const auto send_several = [&] {
    for (const ClientResponse& response : responses(api, 16)) {
      if (response.status == 201) ++rides;
      if (response.status == 201) continue;
      ++refused;
      EXPECT_EQ(response.status, 503) << response.body;
      EXPECT_EQ(response.code(), "database_unavailable");
    }
  };
  ASSERT_TRUE(eventually([&] {
    send_several();
    return refused > 0;
  }));
  EXPECT_NO_THROW(api.process().wait_for_line(kRefusal));
  for (const char* name : {"completer", "reaper", "enqueuer"}) {
    const ChildProcess worker(name, {{"DATABASE_URL", pooler.url(database_)}});
    EXPECT_TRUE(eventually([&] {
      send_several();
      return worker.output().find(kRefusal) != std::string::npos;
    })) << name;
  }
  // What was acknowledged is there. A request that was refused after its charge may have been completed, too.
  EXPECT_GE(database_.count("idempotency_keys", "response_code = 201"), rides);
}

// Other traffic may hide the pooling mode at first.
TEST_F(Pooler, OfTransactionsIsRefusedAsSoonAsItShows) {
  PgBouncer pooler("session");
  ApiProcess api(pooler.url(database_), environment());
  ASSERT_EQ(statuses(api, 8).count(201), 8U);
  pooler.change_pool_mode("transaction");
  ASSERT_TRUE(eventually([&] {
    const std::multiset<int> got = statuses(api, 16);
    EXPECT_EQ(got.count(201) + got.count(503), 16U) << testing::PrintToString(got);
    return got.contains(503);
  }));
  EXPECT_NO_THROW(api.process().wait_for_line(kRefusal));
}

}  // namespace
}  // namespace rocket::spec
