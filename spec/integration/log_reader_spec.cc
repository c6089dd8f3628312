#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "rocket/base/ids.h"
#include "spec/integration/completer_rig.h"
#include "spec/support/api_process.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/requests.h"
#include "spec/support/roles.h"
#include "spec/support/test_database.h"

// What a process does while nobody reads its log.
namespace rocket::spec {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kStagedJobs = "staged_jobs";

// A named pipe that a process logs to, and its reader.
class LogPipe {
 public:
  LogPipe() : path_(std::filesystem::path(testing::TempDir()) / ("rocket_log_" + random_uuid())) {
    if (::mkfifo(path_.c_str(), 0600) != 0) throw std::system_error(errno, std::generic_category(), "mkfifo");
    // Opened for reading and writing, so that open() does not wait for a writer.
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  }
  ~LogPipe() {
    ::close(descriptor_);
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  LogPipe(const LogPipe&) = delete;
  LogPipe& operator=(const LogPipe&) = delete;

  std::string path() const { return path_.string(); }
  // Fills the pipe, so that the next line must wait for a reader.
  void fill() {
    while (::write(descriptor_, "\n", 1) == 1) {
    }
  }
  // True once a line with this text has been read.
  bool reads(const std::string& text) {
    return eventually([&] {
      std::array<char, 4096> bytes{};
      const ssize_t size = ::read(descriptor_, bytes.data(), bytes.size());
      if (size > 0) read_.append(bytes.data(), static_cast<std::size_t>(size));
      return read_.find(text) != std::string::npos && read_.ends_with('\n');
    });
  }
  const std::string& text() const { return read_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::string read_;
};

// Runs the program with its standard output in this file and its standard error in /dev/null.
std::unique_ptr<ChildProcess> run_into(const std::string& output, const std::string& program,
                                       const Environment& environment) {
  const std::string command = "exec '" + spec::program(program) + "' >'" + output + "' 2>/dev/null";
  return std::make_unique<ChildProcess>("/bin/sh", with_role(program, environment),
                                        std::vector<std::string>{"-c", command});
}

void stage_job(TestDatabase& database, const std::string& id) {
  database.execute("INSERT INTO staged_jobs (job_id, job_name, job_args) VALUES ($1::uuid, 'spec', '{}')",
                   {id});
}

class LogThatNobodyReads : public testing::Test {
 protected:
  Environment with(Environment more) const {
    more.emplace("DATABASE_URL", database_.url());
    return more;
  }

  TestDatabase database_;
  LogPipe log_;
};

TEST_F(LogThatNobodyReads, DoesNotHoldUpRequests) {
  const auto api = run_into(log_.path(), "api", with({{"API_PORT", "0"}}));
  ASSERT_TRUE(log_.reads("port="));
  const auto port = static_cast<std::uint16_t>(std::stoi(log_.text().substr(log_.text().rfind("port=") + 5)));
  log_.fill();
  HttpConnection client(port);
  const std::string key = new_key();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.exchange(ride_request(key)).status, 201);
    EXPECT_EQ(client.exchange(ride_request("short")).status, 400);
  }
  EXPECT_EQ(client.exchange(ride_request(new_key()).with("X-Request-Id", "the-last-one")).status, 201);
  // Nothing is lost when the reader comes back.
  ASSERT_TRUE(log_.reads("the-last-one"));
  EXPECT_THAT(log_.text(), Not(HasSubstr("dropped")));
  log_.fill();
  EXPECT_EQ(client.exchange(ride_request(new_key())).status, 201);
  expect_good_end(*api);
}

TEST_F(LogThatNobodyReads, DoesNotHoldUpACompleter) {
  log_.fill();
  const std::string key = abandon(database_);
  const auto completer = run_into(log_.path(), "completer", with({{"COMPLETER_IDLE_MS", "20"}}));
  EXPECT_TRUE(eventually([&] { return is_finished(database_, key); }));
  const std::string next = abandon(database_);
  EXPECT_TRUE(eventually([&] { return is_finished(database_, next); }));
  expect_good_end(*completer);
}

TEST_F(LogThatNobodyReads, DoesNotHoldUpAReaper) {
  log_.fill();
  const auto finished = [&] { return database_.count("idempotency_keys", "finished_at IS NOT NULL"); };
  const ApiProcess api(database_);
  const auto make_one_to_remove = [&] {
    EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
    database_.execute("UPDATE idempotency_keys SET finished_at = now() - interval '73 hours'");
  };
  make_one_to_remove();
  const auto reaper = run_into(log_.path(), "reaper", with({{"REAPER_IDLE_MS", "20"}}));
  EXPECT_TRUE(eventually([&] { return finished() == 0; }));
  make_one_to_remove();
  EXPECT_TRUE(eventually([&] { return finished() == 0; }));
  expect_good_end(*reaper);
}

TEST_F(LogThatNobodyReads, DoesNotHoldUpASimulator) {
  log_.fill();
  const ApiProcess api(database_);
  const auto simulator =
      run_into(log_.path(), "simulator",
               with({{"API_URL", api.url()}, {"SIMULATOR_RATE", "100"}, {"SIMULATOR_PROGRESS_MS", "10"}}));
  EXPECT_TRUE(eventually([&] { return database_.count("rides") > 10; }));
  expect_good_end(*simulator);
}

// The log line itself is the delivery of the job.
TEST_F(LogThatNobodyReads, KeepsJobsThatWouldGoThere) {
  log_.fill();
  const std::string job = random_uuid();
  stage_job(database_, job);
  const auto enqueuer =
      run_into(log_.path(), "enqueuer", with({{"ENQUEUER_IDLE_MS", "20"}, {"LOG_LEVEL", "error"}}));
  // The enqueuer holds the job and waits.
  EXPECT_TRUE(eventually([&] {
    return database_.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "state = 'idle in transaction' AND application_name LIKE '%enqueuer'") == 1;
  }));
  expect_good_end(*enqueuer);
  EXPECT_EQ(database_.count(kStagedJobs), 1);

  const auto next =
      run_into(log_.path(), "enqueuer", with({{"ENQUEUER_IDLE_MS", "20"}, {"LOG_LEVEL", "error"}}));
  EXPECT_TRUE(log_.reads(job));
  EXPECT_TRUE(eventually([&] { return database_.count(kStagedJobs) == 0; }));
  expect_good_end(*next);
}

TEST_F(LogThatNobodyReads, KeepsJobsThatWouldGoToAFullDisk) {
  stage_job(database_, random_uuid());
  const auto enqueuer = run_into("/dev/full", "enqueuer", with({{"ENQUEUER_IDLE_MS", "20"}}));
  EXPECT_TRUE(eventually([&] {
    return database_.number(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
               "state = 'idle in transaction' AND application_name LIKE '%enqueuer'") == 1;
  }));
  expect_good_end(*enqueuer);
  EXPECT_EQ(database_.count(kStagedJobs), 1);
}

class LogThatCannotBeWritten : public testing::TestWithParam<const char*> {
 protected:
  LogThatCannotBeWritten() {
    if (name_ != "simulator") return;
    api_.emplace(database_);
    environment_.insert({{"API_URL", api_->url()}, {"SIMULATOR_PROGRESS_MS", "10"}});
  }

  bool works() {
    return eventually([&] {
      return database_.number(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                 "application_name = $1",
                 {"rocket-rides " + name_}) > 0;
    });
  }
  // Makes the processes log something.
  void cut_connections() {
    database_.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'rocket-rides%'");
  }

  const std::string name_ = GetParam();
  TestDatabase database_;
  std::optional<ApiProcess> api_;
  Environment environment_{{"DATABASE_URL", database_.url()}, {"API_PORT", "0"}};
};

INSTANTIATE_TEST_SUITE_P(By, LogThatCannotBeWritten,
                         testing::Values("api", "completer", "enqueuer", "reaper", "simulator"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(LogThatCannotBeWritten, BecauseTheDiskIsFullEndsNoProcess) {
  const auto process = run_into("/dev/full", name_, environment_);
  EXPECT_TRUE(works());
  cut_connections();
  if (name_ != "simulator") {
    EXPECT_TRUE(works());
  }
  expect_good_end(*process);
}

TEST_P(LogThatCannotBeWritten, BecauseItsReaderHasGoneEndsNoProcess) {
  std::optional<LogPipe> log(std::in_place);
  const auto process = run_into(log->path(), name_, environment_);
  EXPECT_TRUE(works());
  log.reset();
  cut_connections();
  if (name_ != "simulator") {
    EXPECT_TRUE(works());
  }
  expect_good_end(*process);
}

}  // namespace
}  // namespace rocket::spec
