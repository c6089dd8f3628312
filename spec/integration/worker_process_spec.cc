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

#include "spec/support/child_process.h"
#include "spec/support/test_database.h"

// What every process promises to whoever operates it.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::chrono::seconds kTimeToStop(10);
constexpr const char* kNowhere = "postgresql:///rides?host=%2Fnonexistent%2Fsocket%2Fdirectory";

struct Process {
  std::string name;
  // One of its own flags that takes a number, and its variable.
  std::string flag;
  std::string variable;
  // What it logs once it runs.
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

// A server that accepts connections and never says a word.
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

  // True once somebody has connected.
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

TEST_P(WorkerProcess, StopsOnSigterm) {
  TestDatabase database;
  const ChildProcess process(GetParam().name, environment(database.url()));
  process.wait_for_line(GetParam().running);
  process.kill(SIGTERM);
  const auto exit = process.wait_for_exit(kTimeToStop);
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

TEST_P(WorkerProcess, StopsOnSigint) {
  TestDatabase database;
  const ChildProcess process(GetParam().name, environment(database.url()));
  process.wait_for_line(GetParam().running);
  process.kill(SIGINT);
  const auto exit = process.wait_for_exit(kTimeToStop);
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

TEST_P(WorkerProcess, StopsWhileThereIsNoDatabase) {
  const ChildProcess process(GetParam().name, environment(kNowhere));
  process.wait_for_line(GetParam().running);
  process.wait_for_line("nonexistent");
  EXPECT_TRUE(process.running());
  process.kill(SIGTERM);
  const auto exit = process.wait_for_exit(kTimeToStop);
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

TEST_P(WorkerProcess, StopsWhileItWaitsForADatabaseThatSaysNothing) {
  SilentServer server;
  const ChildProcess process(GetParam().name, environment(server.url()));
  process.wait_for_line(GetParam().running);
  ASSERT_TRUE(server.has_visitor()) << process.output();
  process.kill(SIGTERM);
  const auto exit = process.wait_for_exit(kTimeToStop);
  ASSERT_TRUE(exit.has_value()) << process.output();
  EXPECT_EQ(exit->code, 0) << process.output();
}

}  // namespace
}  // namespace rocket::spec
