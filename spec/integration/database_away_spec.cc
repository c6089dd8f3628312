#include <gtest/gtest.h>

#include <string>

#include "spec/integration/expectations.h"
#include "spec/integration/queries_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/sql_session.h"
#include "spec/support/test_database.h"

// What the api says while its database answers, while it is away, and once it is back.
namespace rocket::spec {
namespace {

using HealthSpec = QueriesSpec;

TEST_F(HealthSpec, IsGoodWhileTheDatabaseAnswers) {
  EXPECT_EQ(send({"GET", "/healthz", {}, ""}).status, 200);
  EXPECT_EQ(send({"GET", "/readyz", {}, ""}).status, 200);
  EXPECT_EQ(send({"GET", "/readyz?verbose=1", {}, ""}).status, 200);
}

TEST(DatabaseAway, IsSaidSoAndTheProcessLives) {
  TestDatabase database;
  const ApiProcess api(url_with(database.url(), {{"host", "/nonexistent"}}), {});
  EXPECT_EQ(api.send({"GET", "/healthz", {}, ""}).status, 200);
  for (const ClientRequest& request :
       {ClientRequest{"GET", "/readyz", {}, ""}, ride_request(new_key()), ride_request("short"),
        deposit_request(kUser, "5"), get_request("/account"), get_request("/rides/1"),
        get_request("/idempotency-keys/" + new_key())}) {
    const auto response = api.send(request);
    expect_failure(response, 503, "database_unavailable");
    expect_retry_later(response);
  }
}

TEST(DatabaseAway, IsForgottenOnceItIsBack) {
  TestDatabase database;
  const ApiProcess api(database);
  const std::string key = new_key();
  ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
  SqlSession maintenance(maintenance_url());
  maintenance.execute("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS false");
  maintenance.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                   {database.name()});
  const auto away = api.send(ride_request(key));
  expect_failure(away, 503, "database_unavailable");
  expect_retry_later(away);
  EXPECT_EQ(api.send({"GET", "/readyz", {}, ""}).status, 503);
  EXPECT_EQ(api.send({"GET", "/healthz", {}, ""}).status, 200);

  maintenance.execute("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS true");
  EXPECT_TRUE(eventually([&] { return api.send({"GET", "/readyz", {}, ""}).status == 200; }));
  ClientResponse answer;
  // Each lane reconnects by itself.
  EXPECT_TRUE(eventually([&] {
    answer = api.send(ride_request(key));
    return answer.status != 503;
  }));
  EXPECT_EQ(answer.status, 201) << answer.body;
  database.reconnect();
  EXPECT_EQ(database.count("rides"), 2);
}

}  // namespace
}  // namespace rocket::spec
