#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spec/integration/completer_rig.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/mute_server.h"
#include "spec/support/requests.h"
#include "spec/support/scrape.h"
#include "spec/support/test_database.h"

// Metrics follow what the processes do, one for one.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string requests(const std::string& method, const std::string& route, const std::string& status) {
  return "rocket_http_requests_total{method=\"" + method + "\",route=\"" + route + "\",status=\"" + status +
         "\"}";
}

std::string refused(const std::string& reason) {
  return "rocket_http_requests_refused_total{reason=\"" + reason + "\"}";
}

class RequestMetricsSpec : public testing::Test {
 protected:
  explicit RequestMetricsSpec(Environment environment = {})
      : port_(free_port()), api_(database_, with_metrics(std::move(environment), port_)) {}

  void expect(const std::string& series, double value) {
    EXPECT_EQ(eventual_value(port_, series, value, std::chrono::seconds(20)), value) << series;
  }

  TestDatabase database_;
  std::uint16_t port_;
  ApiProcess api_;
};

TEST_F(RequestMetricsSpec, CountsEveryRequestOnce) {
  const Scrape before(port_);
  for (const char* status : {"2xx", "3xx", "4xx", "5xx"}) {
    EXPECT_EQ(before.value(requests("POST", "/rides", status)), 0) << "it must be there from the start";
    EXPECT_EQ(before.value(requests("GET", "/rides/{ride_id}", status)), 0);
    EXPECT_EQ(before.value(requests("other", "unknown", status)), 0);
  }
  EXPECT_EQ(before.value("rocket_http_replays_total{route=\"/rides\"}"), 0);

  const std::string key = new_key();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(api_.send(ride_request(key)).status, 201);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(api_.send(ride_request(new_key())).status, 201);
  ASSERT_EQ(api_.send(ride_request("short")).status, 400);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(api_.send(deposit_request(kUser, "5")).status, 201);
  ASSERT_EQ(api_.send(get_request("/rides/1")).status, 200);
  ASSERT_EQ(api_.send(get_request("/rides/999")).status, 404);

  expect(requests("POST", "/rides", "2xx"), 7);
  expect(requests("POST", "/rides", "4xx"), 1);
  expect(requests("POST", "/deposits", "2xx"), 2);
  expect(requests("GET", "/rides/{ride_id}", "2xx"), 1);
  expect(requests("GET", "/rides/{ride_id}", "4xx"), 1);
  expect("rocket_http_replays_total{route=\"/rides\"}", 2);
  expect("rocket_http_request_duration_seconds_count{route=\"/rides\"}", 8);
  expect("rocket_attempts_total{outcome=\"answered\"}", 7);
  expect("rocket_attempts_total{outcome=\"replayed\"}", 2);
  expect("rocket_foreign_call_duration_seconds_count{call=\"charge\",outcome=\"succeeded\"}", 5);
  expect("rocket_phase_duration_seconds_count{flow=\"POST /rides\",recovery_point=\"started\"}", 5);
  expect("rocket_phase_duration_seconds_count{flow=\"POST /rides\",recovery_point=\"ride_created\"}", 5);
  expect("rocket_http_requests_in_flight", 0);
  expect("rocket_lanes", 2);
  expect("rocket_lanes_connected", 2);
  const Scrape after(port_);
  EXPECT_GE(after.value("rocket_commit_duration_seconds_count").value_or(0), 15);
  EXPECT_EQ(after.value("rocket_commit_duration_seconds_count"), after.value("rocket_batch_units_count"));
  EXPECT_EQ(after.series(), before.series());
}

TEST_F(RequestMetricsSpec, HasNoTextOfAClientInALabel) {
  ASSERT_EQ(api_.send(ride_request(new_key())).status, 201);
  const Scrape before(port_);
  api_.send({"INVENTED", "/rides", {}, ""});
  api_.send({"GET", "/invented-path/with?invented=query", {}, ""});
  api_.send({"GET", "/rides/invented-id", {{"Authorization", kUser}}, ""});
  api_.send(get_request("/idempotency-keys/invented-key-of-many-characters"));
  api_.send(ride_request("invented-key-of-many-characters").with("X-Request-Id", "invented-id"));
  api_.send({"OPTIONS", "*", {}, ""});
  api_.send({"HEAD", "/web/invented.js", {}, ""});
  HttpConnection nonsense = api_.connect();
  nonsense.send("INVENTED\r\n\r\n");
  EXPECT_EQ(nonsense.receive().status, 400);
  const Scrape after(port_);
  EXPECT_EQ(after.series(), before.series());
  EXPECT_THAT(after.text(), Not(HasSubstr("nvented")));
  EXPECT_THAT(after.text(), Not(HasSubstr("INVENTED")));
  EXPECT_THAT(after.text(), Not(HasSubstr(kUser)));
  expect(requests("other", "unknown", "4xx"), 2);
  expect(requests("GET", "unknown", "4xx"), 1);
  expect(refused("request_malformed"), 1);
}

TEST_F(RequestMetricsSpec, CountsConnections) {
  const double before = Scrape(port_).value("rocket_http_connections").value_or(-1);
  {
    const HttpConnection first = api_.connect();
    const HttpConnection second = api_.connect();
    expect("rocket_http_connections", before + 2);
  }
  expect("rocket_http_connections", before);
}

TEST_F(RequestMetricsSpec, ShowsHowManyLanesAreConnected) {
  expect("rocket_lanes_connected", 2);
  SqlSession maintenance(maintenance_url());
  maintenance.execute("ALTER DATABASE " + database_.name() + " ALLOW_CONNECTIONS false");
  maintenance.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                   {database_.name()});
  EXPECT_TRUE(eventually([&] {
    // A lane notices when it has something to do.
    api_.send(ride_request(new_key()));
    return Scrape(port_).value("rocket_lanes_connected") == 0;
  }));
  maintenance.execute("ALTER DATABASE " + database_.name() + " ALLOW_CONNECTIONS true");
  expect("rocket_lanes_connected", 2);
  database_.reconnect();
}

class LimitedRequests : public RequestMetricsSpec {
 protected:
  LimitedRequests() : RequestMetricsSpec({{"API_REQUESTS_PER_S", "1"}, {"API_REQUEST_BURST", "2"}}) {}
};

TEST_F(LimitedRequests, AreCountedByTheirReason) {
  for (int i = 0; i < 2; ++i) ASSERT_EQ(api_.send(get_request("/account")).status, 200);
  int limited = 0;
  for (int i = 0; i < 10; ++i) limited += api_.send(get_request("/account")).status == 429 ? 1 : 0;
  ASSERT_GT(limited, 0);
  expect(refused("rate_limited"), limited);
  expect(requests("GET", "/account", "4xx"), limited);
  HttpConnection strange = api_.connect();
  strange.send("GET /account HTTP/1.1\r\nHost: foreign.example.com\r\n\r\n");
  ASSERT_EQ(strange.receive().status, 421);
  expect(refused("foreign_host"), 1);
  expect(refused("overloaded"), 0);
}

class RequestsWithoutProvider : public RequestMetricsSpec {
 protected:
  RequestsWithoutProvider()
      : RequestMetricsSpec(
            {{"MOCK_OUTAGE_PERCENT", "100"}, {"CIRCUIT_FAILURES", "3"}, {"CIRCUIT_PAUSE_MS", "600000"}}) {}
};

TEST_F(RequestsWithoutProvider, ShowTheCallsAndTheCircuit) {
  EXPECT_EQ(Scrape(port_).value("rocket_provider_circuit_open"), 0);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(api_.send(ride_request(new_key())).status, 503);
  expect("rocket_provider_circuit_open", 1);
  // The last two were not made.
  expect("rocket_foreign_call_duration_seconds_count{call=\"charge\",outcome=\"unavailable\"}", 3);
  expect("rocket_attempts_total{outcome=\"unavailable\"}", 5);
  expect(requests("POST", "/rides", "5xx"), 5);
}

TEST(WorkerMetrics, CountUnfinishedAndParkedKeys) {
  TestDatabase database;
  abandon(database, {.recovery_point = "ride_created", .age = "2 hours"});
  abandon(database, {.recovery_point = "ride_created", .age = "1 hour"});
  abandon(database, {.recovery_point = "started", .age = "1 hour"});
  const std::string parked = abandon(database, {.age = "3 hours"});
  database.execute(
      "UPDATE idempotency_keys SET parked_at = now() - interval '30 minutes', last_error = 'x' "
      "WHERE idempotency_key = $1",
      {parked});
  const std::uint16_t port = free_port();
  const ChildProcess completer(
      "completer", with_metrics({{"DATABASE_URL", database.url()}, {"COMPLETER_GRACE_S", "86400"}}, port));
  completer.wait_for_line("metrics are at");
  EXPECT_EQ(eventual_value(port, "rocket_keys_unfinished{recovery_point=\"ride_created\"}", 2), 2);
  const Scrape scrape(port);
  EXPECT_EQ(scrape.value("rocket_keys_unfinished{recovery_point=\"started\"}"), 1);
  EXPECT_EQ(scrape.value("rocket_keys_unfinished{recovery_point=\"charge_created\"}"), 0);
  EXPECT_EQ(scrape.value("rocket_keys_parked"), 1);
  EXPECT_NEAR(scrape.value("rocket_keys_unfinished_oldest_age_seconds").value_or(0), 7200, 60);
  EXPECT_NEAR(scrape.value("rocket_keys_parked_oldest_age_seconds").value_or(0), 1800, 60);
  EXPECT_EQ(scrape.value("rocket_database_reachable"), 1);
  EXPECT_EQ(scrape.value("rocket_completions_total{outcome=\"completed\"}"), 0);
}

TEST(WorkerMetrics, CountCompletions) {
  TestDatabase database;
  for (int i = 0; i < 3; ++i) abandon(database, {.recovery_point = "ride_created"});
  const std::uint16_t port = free_port();
  const ChildProcess completer(
      "completer", with_metrics({{"DATABASE_URL", database.url()}, {"COMPLETER_IDLE_MS", "50"}}, port));
  completer.wait_for_line("metrics are at");
  EXPECT_EQ(eventual_value(port, "rocket_completions_total{outcome=\"completed\"}", 3), 3);
}

TEST(WorkerMetrics, CountJobsThatWaitAndJobsThatWereMoved) {
  TestDatabase database;
  database.execute(
      "INSERT INTO staged_jobs (job_name, job_args, created_at) "
      "SELECT 'send_ride_receipt', '{}', now() - interval '10 minutes' FROM generate_series(1, 5)");
  const std::uint16_t stuck_port = free_port();
  {
    const ChildProcess stuck(
        "enqueuer",
        with_metrics({{"DATABASE_URL", database.url()}, {"JOB_QUEUE", "redis://127.0.0.1:1"}}, stuck_port));
    stuck.wait_for_line("metrics are at");
    EXPECT_EQ(eventual_value(stuck_port, "rocket_staged_jobs", 5), 5);
    const Scrape scrape(stuck_port);
    EXPECT_NEAR(scrape.value("rocket_staged_jobs_oldest_age_seconds").value_or(0), 600, 60);
    EXPECT_EQ(scrape.value("rocket_jobs_moved_total"), 0);
  }
  const std::uint16_t port = free_port();
  const ChildProcess enqueuer("enqueuer", with_metrics({{"DATABASE_URL", database.url()}}, port));
  enqueuer.wait_for_line("metrics are at");
  EXPECT_EQ(eventual_value(port, "rocket_jobs_moved_total", 5), 5);
  EXPECT_EQ(eventual_value(port, "rocket_staged_jobs", 0), 0);
  EXPECT_EQ(eventual_value(port, "rocket_staged_jobs_oldest_age_seconds", 0), 0);
}

TEST(WorkerMetrics, ShowWhatIsDueToBeReapedAndWhatWasReaped) {
  TestDatabase database;
  for (int i = 0; i < 2; ++i) abandon(database, {});
  database.execute(
      "UPDATE idempotency_keys SET recovery_point = 'finished', response_code = 201, response_body = '{}', "
      "finished_at = now() - interval '80 hours'");
  SqlSession other = database.open_session();
  // Reapers skip what others hold.
  other.execute("BEGIN");
  other.rows("SELECT id FROM idempotency_keys FOR UPDATE");
  const std::uint16_t port = free_port();
  const ChildProcess reaper("reaper",
                            with_metrics({{"DATABASE_URL", database.url()}, {"REAPER_IDLE_MS", "50"}}, port));
  reaper.wait_for_line("metrics are at");
  EXPECT_EQ(eventual_value(port, "rocket_database_reachable", 1), 1);
  const Scrape scrape(port);
  EXPECT_NEAR(scrape.value("rocket_keys_due_oldest_age_seconds").value_or(0), 8 * 3600, 60);
  EXPECT_EQ(scrape.value("rocket_keys_reaped_total"), 0);
  other.execute("COMMIT");
  EXPECT_EQ(eventual_value(port, "rocket_keys_reaped_total", 2), 2);
  EXPECT_EQ(eventual_value(port, "rocket_keys_due_oldest_age_seconds", 0), 0);
}

TEST(WorkerMetrics, DoNotHoldUpTheEndWhileTheDatabaseSaysNothing) {
  const MuteServer server(MuteServer::Manner::kSaysNothing);
  const std::uint16_t port = free_port();
  const ChildProcess reaper(
      "reaper", with_metrics({{"DATABASE_URL", "postgresql://rides@" + server.address() + "/rides"}}, port));
  reaper.wait_for_line("metrics are at");
  // One connection is for the work, one for the question.
  ASSERT_TRUE(eventually([&] { return server.arrivals().size() >= 2; }));
  EXPECT_EQ(Scrape(port).value("rocket_database_reachable"), 0);
  EXPECT_EQ(Scrape(port).value("rocket_keys_due_oldest_age_seconds"), std::nullopt);
  expect_good_end(reaper);
}

TEST(HeavyWorkerMetrics, ShowNothingOldWhileTheDatabaseIsAway) {
  TestDatabase database;
  const std::uint16_t port = free_port();
  const ChildProcess completer("completer", with_metrics({{"DATABASE_URL", database.url()}}, port));
  completer.wait_for_line("metrics are at");
  ASSERT_EQ(eventual_value(port, "rocket_keys_parked", 0), 0);

  SqlSession maintenance(maintenance_url());
  maintenance.execute("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS false");
  maintenance.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                   {database.name()});
  EXPECT_EQ(eventual_value(port, "rocket_database_reachable", 0), 0);
  EXPECT_TRUE(
      eventually([&] { return !Scrape(port).value("rocket_keys_parked"); }, std::chrono::seconds(40)));
  const Scrape away(port);
  EXPECT_THAT(away.text(), Not(HasSubstr("rocket_keys_")));
  EXPECT_EQ(away.value("rocket_completions_total{outcome=\"completed\"}"), 0);
  EXPECT_EQ(away.value("rocket_lanes"), 2);
  EXPECT_TRUE(away.value("process_cpu_seconds_total"));

  maintenance.execute("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS true");
  EXPECT_EQ(eventual_value(port, "rocket_database_reachable", 1, std::chrono::seconds(40)), 1);
  EXPECT_EQ(Scrape(port).value("rocket_keys_parked"), 0);
  database.reconnect();
}

}  // namespace
}  // namespace rocket::spec
