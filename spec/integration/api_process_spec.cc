#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/mute_server.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

TEST(ApiConfiguration, ReportsAllMistakesAtOnce) {
  const auto finished = run_to_end(
      "api",
      {{"API_PORT", "harbour"}, {"DATABASE_LANES", "0"}, {"LOG_FORMAT", "xml"}, {"KEY_REUSED_STATUS", "410"}},
      {"--line-limit=0", "--mock-outage=101", "--colour=red"});
  EXPECT_EQ(finished.exit.code, 2);
  for (const char* part : {"API_PORT", "DATABASE_LANES", "LOG_FORMAT", "KEY_REUSED_STATUS", "--line-limit",
                           "--mock-outage", "--colour", "DATABASE_URL is not set"}) {
    EXPECT_NE(finished.output.find(part), std::string::npos) << part << " is not in: " << finished.output;
  }
}

TEST(ApiConfiguration, RefusesADatabasePortThatIsNoNumber) {
  const auto finished = run_to_end("api", {{"DATABASE_URL", "host=/tmp port=5432x dbname=db"}});
  EXPECT_EQ(finished.exit.code, 2);
  EXPECT_NE(finished.output.find("DATABASE_URL holds a port"), std::string::npos) << finished.output;
}

TEST(ApiConfiguration, NeedsADatabaseUrlItUnderstands) {
  const auto finished = run_to_end("api", {{"DATABASE_URL", "postgresql://user:hunter2@host/db?nonsense=1"}});
  EXPECT_EQ(finished.exit.code, 2);
  EXPECT_NE(finished.output.find("DATABASE_URL"), std::string::npos);
  EXPECT_EQ(finished.output.find("hunter2"), std::string::npos);
}

// Otherwise the first requests would be refused only because connecting takes a moment.
TEST(ApiAtItsStart, ListensOnceItHasTriedToReachItsDatabase) {
  const MuteServer database(MuteServer::Manner::kHangsUp);
  ApiProcess api("postgresql://rides@" + database.address() + "/rides", {});
  const std::string output = api.process().output();
  const auto tried = output.find("database is away");
  ASSERT_NE(tried, std::string::npos) << output;
  EXPECT_LT(tried, output.find("listening")) << output;
  EXPECT_EQ(api.send(get_request("/healthz")).status, 200);
}

TEST(ApiConfiguration, HelpListsFlagsVariablesUnitsAndDefaults) {
  const auto finished = run_to_end("api", {}, {"--help"});
  EXPECT_EQ(finished.exit.code, 0);
  for (const char* part : {"--port",
                           "API_PORT",
                           "PORT",
                           "5000",
                           "--bind",
                           "API_BIND",
                           "127.0.0.1",
                           "--threads",
                           "API_THREADS",
                           "--line-limit",
                           "API_LINE_LIMIT",
                           "--request-timeout",
                           "API_REQUEST_TIMEOUT_MS",
                           "[ms]",
                           "--idle-timeout",
                           "API_IDLE_TIMEOUT_MS",
                           "--key-reused-status",
                           "KEY_REUSED_STATUS",
                           "--key-retention",
                           "259200",
                           "--charge-repeat-limit",
                           "72000",
                           "[s]",
                           "DATABASE_URL",
                           "--lanes",
                           "DATABASE_LANES",
                           "--log-level",
                           "LOG_LEVEL",
                           "--log-format",
                           "LOG_FORMAT",
                           "--mock-latency",
                           "MOCK_LATENCY_MS",
                           "--mock-ledger",
                           "MOCK_LEDGER"}) {
    EXPECT_NE(finished.output.find(part), std::string::npos) << part;
  }
}

TEST(ApiConfiguration, SaysItsVersion) {
  const auto finished = run_to_end("api", {}, {"--version"});
  EXPECT_EQ(finished.exit.code, 0);
  EXPECT_EQ(finished.output, std::string("api ") + ROCKET_VERSION + "\n");
}

TEST(ApiConfiguration, TakesThePortFromPortToo) {
  TestDatabase database;
  const ApiProcess any(database);
  // PORT names a port that is taken, so the api must complain of that port.
  const auto finished =
      run_to_end("api", {{"DATABASE_URL", database.url()}, {"PORT", std::to_string(any.port())}});
  EXPECT_TRUE(finished.exit.code.has_value());
  EXPECT_NE(finished.exit.code, 0);
  EXPECT_NE(finished.output.find(std::to_string(any.port())), std::string::npos) << finished.output;
}

TEST(ApiConfiguration, FlagsOverrideTheEnvironment) {
  TestDatabase database;
  // The flag must win. Only root may bind port 1, so using it would be noticed.
  ApiProcess api(database, {{"API_PORT", "1"}, {"LOG_FORMAT", "text"}}, {"--port=0", "--log-format=json"});
  EXPECT_NE(api.port(), 1);
  EXPECT_TRUE(api.process().output().starts_with("{"));
  EXPECT_EQ(api.send(get_request("/healthz")).status, 200);
}

class StopSpec : public testing::TestWithParam<int> {};

TEST_P(StopSpec, EndsWithStatus0) {
  TestDatabase database;
  ApiProcess api(database);
  ASSERT_EQ(api.send(ride_request(new_key())).status, 201);
  HttpConnection idle = api.connect();
  api.process().kill(GetParam());
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit) << api.process().output();
  EXPECT_EQ(exit->code, 0) << api.process().output();
}

INSTANTIATE_TEST_SUITE_P(Api, StopSpec, testing::Values(SIGTERM, SIGINT));

TEST(ApiStop, EndsWhileTheDatabaseIsAway) {
  TestDatabase database;
  ApiProcess api(url_with(database.url(), {{"host", "/nonexistent"}}), {});
  EXPECT_EQ(api.send({"GET", "/readyz", {}, ""}).status, 503);
  api.process().kill(SIGTERM);
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit) << api.process().output();
  EXPECT_EQ(exit->code, 0);
}

TEST(ApiStop, AnswersWhatIsUnderWayAndRefusesTheRest) {
  TestDatabase database;
  ApiProcess api(database, {{"MOCK_LATENCY_MS", "1500"}});
  HttpConnection busy = api.connect();
  HttpConnection late = api.connect();
  HttpConnection idle = api.connect();
  busy.send(ride_request(new_key()).to_bytes());
  // A request under way keeps this connection from counting as idle.
  late.send(get_request("/account").to_bytes().substr(0, 10));
  // So does one whose body is still to come.
  HttpConnection later = api.connect();
  const ClientRequest ride = ride_request(new_key());
  later.send(ride.to_bytes().substr(0, ride.to_bytes().size() - ride.body.size()));
  ASSERT_TRUE(eventually([&] { return database.count("rides") == 1; }));
  api.process().kill(SIGTERM);
  ASSERT_TRUE(eventually([&] { return api.send({"GET", "/readyz", {}, ""}).status == 503; }));
  late.send(get_request("/account").to_bytes().substr(10));
  const auto refused = late.receive();
  expect_failure(refused, 503, "overloaded");
  expect_retry_later(refused);
  // Waits until the api has ended its idle connections.
  EXPECT_TRUE(idle.ends());
  later.send(ride.body);
  expect_failure(later.receive(), 503, "overloaded");
  const auto answer = busy.receive();
  EXPECT_EQ(answer.status, 201) << answer.body;
  const auto exit = api.process().wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit) << api.process().output();
  EXPECT_EQ(exit->code, 0);
}

TEST(Secrets, AreInNoLogAndNoStoredError) {
  TestDatabase database;
  std::string output;
  const std::vector<std::string> keys{new_key(), new_key(), new_key(), new_key(), new_key()};
  {
    ApiProcess api(database, {{"MOCK_LOST_PERCENT", "50"}});
    for (const auto& key : keys) {
      api.send(ride_request(key));
      api.send(ride_request(key));
      api.send(ride_request(key, kUser, "origin_lat=0&origin_lon=0&target_lat=0&target_lon=0"));
      api.send(ride_request(key, kDeclinedUser));
      api.send(ride_request(key + "2", kUser, std::string(kRideForm) + "&raise_error=true"));
      api.send(ride_request(key, "stranger@example.com"));
      api.send(get_request("/idempotency-keys/" + key));
      api.send(get_request("/idempotency-keys/" + key + "?again=" + key));
      api.send(get_request("/nothing/" + key));
      api.send(deposit_request(kUser, "5").with("Idempotency-Key", key + "3"));
      HttpConnection odd = api.connect();
      odd.send("GET / HTTP/1.1\r\nAuthorization: " + std::string(kUser) + "\r\nIdempotency-Key: " + key +
               "\r\n\r\n");
      odd.receive();
    }
    // This statement fails. Its message must not repeat its parameters.
    database.execute("ALTER TABLE rides ADD CHECK (origin_lat <> 12)");
    EXPECT_EQ(
        api.send(ride_request(keys[0] + "4", kUser, "origin_lat=12&origin_lon=0&target_lat=0&target_lon=0"))
            .status,
        500);
    api.process().kill(SIGTERM);
    ASSERT_TRUE(api.process().wait_for_exit());
    output = api.process().output();
  }
  EXPECT_NE(output.find("answered"), std::string::npos);
  EXPECT_NE(output.find("released"), std::string::npos);
  EXPECT_GE(database.count("idempotency_keys", "last_error IS NOT NULL"), 5);
  std::vector<std::string> secrets{"example.com", "cus_user", "user-bad-source", "stranger"};
  secrets.insert(secrets.end(), keys.begin(), keys.end());
  for (const auto& secret : secrets) {
    EXPECT_EQ(output.find(secret), std::string::npos) << secret << " is in: " << output;
    EXPECT_EQ(
        database.number("SELECT count(*) FROM idempotency_keys WHERE strpos(last_error, $1) > 0", {secret}),
        0);
  }
}

bool has_ipv6() {
  const int descriptor = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(descriptor);
  return bound;
}

TEST(ApiAddress, MayBeIpv6) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has none";
  TestDatabase database;
  Environment environment = kInPublic;
  for (const char* address : {"::1", "[::1]", "::", "0:0:0:0:0:0:0:1"}) {
    environment["API_BIND"] = address;
    ApiProcess api(database, environment);
    const std::string bracketed = *address == '[' ? address : "[" + std::string(address) + "]";
    EXPECT_NE(api.process().output().find("address=" + bracketed + " "), std::string::npos)
        << api.process().output();
    // The simulator finds the api by the same variables, and its requests are recorded with its address.
    const std::int64_t before = database.count("audit_records");
    const Finished run = run_to_end(
        "simulator",
        {{"API_BIND", address}, {"API_PORT", std::to_string(api.port())}, {"DATABASE_URL", database.url()}},
        {"--rate", "50", "--duration", "1"});
    EXPECT_EQ(run.exit.code, 0) << run.output;
    EXPECT_GT(database.count("audit_records"), before) << run.output;
    EXPECT_EQ(database.count("audit_records", "origin_ip <> '::1'"), 0);
    expect_good_end(api.process());
  }
  // The api listens on all addresses, also on those of IPv4.
  environment["API_BIND"] = "::";
  const ApiProcess api(database, environment);
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
}

// Kubernetes sets this variable if the namespace has a service named api.
TEST(ApiConfiguration, IsNotMisledByKubernetes) {
  TestDatabase database;
  ApiProcess api(database, {{"API_PORT", "tcp://10.96.0.1:80"}, {"PORT", "0"}});
  EXPECT_NE(api.process().output().find("API_PORT is ignored"), std::string::npos);
  expect_good_end(api.process());
}

}  // namespace
}  // namespace rocket::spec
