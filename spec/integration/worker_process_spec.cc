#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <vector>

#include "spec/integration/completer_rig.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"
#include "spec/support/roles.h"
#include "spec/support/test_database.h"

// What every process promises to its operator.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNowhere = "postgresql:///rides?host=%2Fnonexistent%2Fsocket%2Fdirectory";

struct Process {
  std::string name;
  // One of its flags that takes a number, and the matching variable.
  std::string flag;
  std::string variable;
  // The text that it logs once it runs.
  std::string running;
};

void PrintTo(const Process& process, std::ostream* out) { *out << process.name; }

class WorkerProcess : public testing::TestWithParam<Process> {
 protected:
  static Environment environment(const std::string& database_url) {
    Environment settings{{"DATABASE_URL", database_url}};
    if (GetParam().name == "api") settings["API_PORT"] = "0";
    return settings;
  }
};

INSTANTIATE_TEST_SUITE_P(Each, WorkerProcess,
                         testing::Values(Process{"api", "line-limit", "API_LINE_LIMIT", "listening"},
                                         Process{"completer", "grace", "COMPLETER_GRACE_S", "started"},
                                         Process{"enqueuer", "batch", "ENQUEUER_BATCH", "started"},
                                         Process{"reaper", "retention", "KEY_RETENTION_S", "started"}),
                         [](const auto& each) { return each.param.name; });

// A server that accepts connections but never sends anything.
class SilentServer {
 public:
  SilentServer() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (descriptor_ < 0 || ::bind(descriptor_, generic, size) != 0 || ::listen(descriptor_, 64) != 0 ||
        ::getsockname(descriptor_, generic, &size) != 0) {
      throw std::system_error(errno, std::generic_category(), "silent server");
    }
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(descriptor_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  // True once a client has connected.
  bool has_visitor() const {
    pollfd watched{descriptor_, POLLIN, 0};
    return ::poll(&watched, 1, 15'000) == 1;
  }
  std::string url() const { return "postgresql://rides@127.0.0.1:" + std::to_string(port_) + "/rides"; }

 private:
  int descriptor_;
  int port_ = 0;
};

TEST_P(WorkerProcess, ExplainsEachFlagWithVariableUnitAndDefault) {
  const Finished help = run_to_end(GetParam().name, {}, {"--help"});
  EXPECT_EQ(help.exit.code, 0);
  EXPECT_THAT(help.output, AllOf(HasSubstr("--" + GetParam().flag), HasSubstr(GetParam().variable),
                                 HasSubstr("DATABASE_URL"), HasSubstr("default"), HasSubstr("--log-level")));
}

TEST_P(WorkerProcess, TellsItsVersion) {
  const Finished version = run_to_end(GetParam().name, {}, {"--version"});
  EXPECT_EQ(version.exit.code, 0);
  EXPECT_EQ(version.output, GetParam().name + " " + ROCKET_VERSION + "\n");
}

TEST_P(WorkerProcess, ReportsAllMistakesAtOnce) {
  const Finished finished =
      run_to_end(GetParam().name, {{GetParam().variable, "many"}, {"LOG_LEVEL", "loud"}}, {"--no-such-flag"});
  EXPECT_EQ(finished.exit.code, 2);
  EXPECT_THAT(finished.output, AllOf(HasSubstr(GetParam().variable), HasSubstr("LOG_LEVEL"),
                                     HasSubstr("--no-such-flag"), HasSubstr("DATABASE_URL")));
}

TEST_P(WorkerProcess, DoesNotRepeatThePasswordOfAMistakenUrl) {
  const Finished finished =
      run_to_end(GetParam().name, {{"DATABASE_URL", "postgresql://rides:sesame@[::1/rides"}});
  EXPECT_EQ(finished.exit.code, 2);
  EXPECT_THAT(finished.output, AllOf(HasSubstr("DATABASE_URL"), Not(HasSubstr("sesame"))));
}

// Environments that would connect to a remote database without TLS: DATABASE_URL, and other variables that
// libpq reads.
std::vector<Environment> ways_in_clear() {
  return {{{"DATABASE_URL", "postgresql://rides@db.example.com/rides"}},
          {{"DATABASE_URL", "host=192.0.2.1 dbname=rides sslmode=prefer"}},
          {{"DATABASE_URL", "host=db.example.com hostaddr=127.0.0.1,192.0.2.1"}},
          {{"DATABASE_URL", "postgresql://localhost,db.example.com/rides?sslmode=disable"}},
          {{"DATABASE_URL", "postgresql://[2001:db8::1]/rides?sslmode=allow"}},
          {{"DATABASE_URL", "postgresql://localhost.example.com/rides"}},
          {{"DATABASE_URL", "postgresql:///rides"}, {"PGHOST", "db.example.com"}},
          {{"DATABASE_URL", "postgresql://db.example.com/rides"}, {"PGSSLMODE", "prefer"}},
          {{"DATABASE_URL", "postgresql://localhost/rides"}, {"PGHOSTADDR", "192.0.2.1"}}};
}

TEST_P(WorkerProcess, RefusesADatabaseFarAwayWithoutTls) {
  for (Environment way : ways_in_clear()) {
    way["LOG_LEVEL"] = "loud";
    const Finished finished = run_to_end(GetParam().name, way);
    EXPECT_EQ(finished.exit.code, 2) << way["DATABASE_URL"];
    EXPECT_THAT(finished.output, AllOf(HasSubstr("sslmode"), HasSubstr("DATABASE_ALLOW_PLAINTEXT"),
                                       HasSubstr("LOG_LEVEL"), Not(HasSubstr("example.com"))));
  }
}

TEST_P(WorkerProcess, TakesADatabaseThatIsNearOrSafelyReached) {
  std::vector<Environment> ways{{{"DATABASE_URL", "postgresql://db.example.com/rides?sslmode=require"}},
                                {{"DATABASE_URL", "postgresql://db.example.com/rides?sslmode=verify-ca"}},
                                {{"DATABASE_URL", "host=192.0.2.1 sslmode=verify-full"}},
                                {{"DATABASE_URL", "postgresql://db/rides"}, {"PGSSLMODE", "require"}},
                                {{"DATABASE_URL", "postgresql:///rides"}},
                                {{"DATABASE_URL", "postgresql://localhost,127.0.0.2,[::1]/rides"}},
                                {{"DATABASE_URL", "host=/run/postgresql,LOCALHOST dbname=rides"}}};
  for (Environment way : ways_in_clear()) {
    way["DATABASE_ALLOW_PLAINTEXT"] = "on";
    ways.push_back(way);
  }
  for (Environment& way : ways) {
    // An invalid setting ends the process before it connects.
    way["LOG_LEVEL"] = "loud";
    const Finished finished = run_to_end(GetParam().name, way);
    EXPECT_EQ(finished.exit.code, 2) << way["DATABASE_URL"];
    EXPECT_THAT(finished.output, AllOf(HasSubstr("LOG_LEVEL"), Not(HasSubstr("DATABASE_URL"))));
  }
}

TEST_P(WorkerProcess, StopsOnSigterm) {
  TestDatabase database;
  const ChildProcess process(GetParam().name, environment(database.url()));
  process.wait_for_line(GetParam().running);
  expect_good_end(process);
}

TEST_P(WorkerProcess, StopsOnSigint) {
  TestDatabase database;
  const ChildProcess process(GetParam().name, environment(database.url()));
  process.wait_for_line(GetParam().running);
  process.kill(SIGINT);
  const auto exit = process.wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

TEST_P(WorkerProcess, StopsOnSighup) {
  TestDatabase database;
  const ChildProcess process(GetParam().name, environment(database.url()));
  process.wait_for_line(GetParam().running);
  process.kill(SIGHUP);
  const auto exit = process.wait_for_exit(std::chrono::seconds(10));
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

TEST_P(WorkerProcess, GoesOnAfterSighupWhereNohupStartedIt) {
  TestDatabase database;
  const ChildProcess process("/usr/bin/nohup", with_role(GetParam().name, environment(database.url())),
                             {program(GetParam().name)});
  process.wait_for_line(GetParam().running);
  process.kill(SIGHUP);
  EXPECT_FALSE(process.wait_for_exit(std::chrono::milliseconds(200)).has_value());
  expect_good_end(process);
}

TEST_P(WorkerProcess, StopsWhileThereIsNoDatabase) {
  const ChildProcess process(GetParam().name, environment(kNowhere));
  process.wait_for_line(GetParam().running);
  process.wait_for_line("nonexistent");
  EXPECT_TRUE(process.running());
  expect_good_end(process);
}

TEST_P(WorkerProcess, StopsWhileItWaitsForADatabaseThatSaysNothing) {
  SilentServer server;
  Environment with = environment(server.url());
  with.insert(kDefaultDatabaseTimeout);
  const ChildProcess process(GetParam().name, with);
  process.wait_for_line(GetParam().running);
  ASSERT_TRUE(server.has_visitor()) << process.output();
  expect_good_end(process);
}

TEST_P(WorkerProcess, DoesNotLogThePasswordOfADatabaseThatIsAway) {
  const ChildProcess process(GetParam().name, environment(url_with(kNowhere, {{"password", "sesame"}})));
  process.wait_for_line("nonexistent");
  expect_good_end(process);
  EXPECT_THAT(process.output(), Not(HasSubstr("sesame")));
}

// For the api, see api_process_spec.cc.
TEST(Secrets, AreInNoLogOfAWorkerAndInNoErrorItStores) {
  TestDatabase database;
  const PaymentProvider provider;
  Environment environment = provider.environment();
  environment.insert({{"DATABASE_URL", url_with(database.url(), {{"password", "sesame"}})},
                      {"STRIPE_TOTAL_TIMEOUT_MS", "300"},
                      {"COMPLETER_PAUSE_S", "0"},
                      {"COMPLETER_MOST_ATTEMPTS", "2"},
                      {"COMPLETER_IDLE_MS", "20"},
                      {"REAPER_IDLE_MS", "20"}});
  std::string log;
  const auto run = [&](const std::string& worker, const auto& done) {
    const ChildProcess process(worker, environment);
    EXPECT_TRUE(eventually(done)) << process.output();
    expect_good_end(process);
    log += process.output();
  };

  // Keys that succeed, are declined, or have no endpoint, and one whose statement fails. The message of that
  // failure must not repeat the statement's parameters. Later follows a key that the provider refuses.
  database.execute("ALTER TABLE rides ADD CHECK (origin_lat <> 12)");
  std::vector<std::string> keys{abandon(database), abandon(database, {.user = kDeclinedUser}),
                                abandon(database, {.path = "/nothing"})};
  keys.push_back(abandon(
      database, {.params = R"({"origin_lat": 12, "origin_lon": 2, "target_lat": 3, "target_lon": 4})"}));
  run("completer",
      [&] { return database.count("idempotency_keys", "finished_at IS NULL AND parked_at IS NULL") == 0; });
  provider.fail("kind=status&status=401&times=99");
  keys.push_back(abandon(database));
  run("completer", [&] { return database.of_key(keys.back(), "parked_at") != "NULL"; });
  run("enqueuer", [&] { return database.count("staged_jobs") == 0; });
  database.execute("UPDATE idempotency_keys SET finished_at = finished_at - interval '73 hours'");
  run("reaper", [&] { return database.count("idempotency_keys", "finished_at IS NOT NULL") == 0; });

  EXPECT_THAT(log,
              AllOf(HasSubstr(": completed "), HasSubstr("at attempt 2: 402 "), HasSubstr("not completed"),
                    HasSubstr("no such endpoint"), HasSubstr("parked after too many attempts"),
                    HasSubstr("send_ride_receipt"), HasSubstr("reaped")));
  EXPECT_EQ(database.count("idempotency_keys", "last_error IS NOT NULL"), 3);
  std::vector<std::string> secrets{"example.com", "cus_", "user-bad-source", "sesame",
                                   PaymentProvider::kApiKey};
  secrets.insert(secrets.end(), keys.begin(), keys.end());
  for (const std::string& secret : secrets) {
    EXPECT_THAT(log, Not(HasSubstr(secret)));
    EXPECT_EQ(
        database.number("SELECT count(*) FROM idempotency_keys WHERE strpos(last_error, $1) > 0", {secret}),
        0)
        << secret;
  }
}

}  // namespace
}  // namespace rocket::spec
