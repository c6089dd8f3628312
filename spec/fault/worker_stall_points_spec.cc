#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "spec/fault/worker_rig.h"
#include "spec/support/eventually.h"

// Workers stall at each message that they exchange with their database, and go on after another worker has
// worked.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

// The session of the stalled worker: it still waits, or the server has ended it because it was idle in a
// transaction for too long.
enum class Session { kWaits, kIsEnded };

// The ids of the jobs in the log of an enqueuer, each as often as it was written.
std::multiset<std::string> ids_in(const std::string& output) {
  constexpr std::string_view kField = "job_id=";
  constexpr std::size_t kIdSize = 36;
  std::multiset<std::string> ids;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto id = line.find(kField);
    if (id != std::string::npos) ids.insert(line.substr(id + kField.size(), kIdSize));
  }
  return ids;
}

class HeavyWorkerStallPoints : public WorkerRig {
 protected:
  // Starts a worker, and returns when it has stalled after this many messages.
  std::unique_ptr<ChildProcess> stall(const std::string& worker, std::size_t messages, Session session) {
    const auto pid = std::make_shared<std::atomic<pid_t>>(0);
    proxy_.after(GetParam(), messages, [this, pid, session](CuttingProxy&) {
      pid->wait(0);
      ::kill(*pid, SIGSTOP);
      if (session == Session::kWaits) return;
      database_.open_session().rows(
          "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname ="
          " current_database() AND application_name LIKE 'rocket-rides %'");
    });
    auto victim = std::make_unique<ChildProcess>(worker, environment());
    *pid = victim->pid();
    pid->notify_all();
    EXPECT_TRUE(eventually([&] { return proxy_.has_acted(); })) << victim->output();
    return victim;
  }
  // Wakes a stalled worker, lets it finish its current work, and stops it. Returns its output.
  static std::string end(const ChildProcess& worker) {
    worker.kill(SIGCONT);
    worker.kill(SIGTERM);
    const auto exit = worker.wait_for_exit();
    EXPECT_TRUE(exit && exit->code == 0) << worker.output();
    return worker.output();
  }

  // The number of messages of a worker from its start until its work is done.
  std::size_t count_points(const std::string& worker, const std::function<bool()>& done) {
    proxy_.cut_after(GetParam(), kNever);
    const ChildProcess alone(worker, environment());
    EXPECT_TRUE(eventually(done)) << alone.output();
    end(alone);
    return proxy_.passed(GetParam());
  }

  void stall_enqueuer(Session session);
  void stall_reaper(Session session);
};

// While one enqueuer sleeps, another takes the jobs that the sleeper does not hold, or no longer holds.
void HeavyWorkerStallPoints::stall_enqueuer(Session session) {
  const auto done = [&] { return database_.count("staged_jobs") == 0; };
  const auto none_is_free = [&] {
    return database_.count("(SELECT id FROM staged_jobs FOR UPDATE SKIP LOCKED) free") == 0;
  };
  stage(3);
  const std::size_t points = count_points("enqueuer", done);
  ASSERT_GT(points, 5U);

  std::size_t repeated = 0;
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("stalled after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    std::set<std::string> staged = stage(3);
    const auto victim = stall("enqueuer", point, session);
    staged.merge(stage(3));
    const ChildProcess other("enqueuer", environment(database_.url()));
    // From here on the process handles SIGTERM.
    other.wait_for_line("started");
    ASSERT_TRUE(eventually([&] { return session == Session::kIsEnded ? done() : none_is_free(); }))
        << other.output();
    std::multiset<std::string> delivered = ids_in(end(*victim));
    ASSERT_TRUE(eventually(done));
    delivered.merge(ids_in(end(other)));
    EXPECT_EQ(std::set<std::string>(delivered.begin(), delivered.end()), staged)
        << "a job was lost, or came with another id";
    repeated += delivered.size() - staged.size();
  }
  if (session == Session::kWaits) {
    EXPECT_EQ(repeated, 0U);
  } else {
    EXPECT_GT(repeated, 0U) << "it never stalled between the push and the commit";
  }
}

TEST_P(HeavyWorkerStallPoints, EnqueuerStalls) { stall_enqueuer(Session::kWaits); }

TEST_P(HeavyWorkerStallPoints, EnqueuerStallsUntilItsSessionIsEnded) { stall_enqueuer(Session::kIsEnded); }

// While one reaper sleeps, another removes the due keys, and clients use the same keys again.
void HeavyWorkerStallPoints::stall_reaper(Session session) {
  const auto done = [&] { return due_keys() == 0; };
  store_key(name("unfinished"), "73 hours", false);
  store_key(name("young"), "71 hours", true);
  store_key(name("due"), "73 hours", true);
  const std::size_t points = count_points("reaper", done);
  ASSERT_GT(points, 5U);

  std::int64_t expected = 2;
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("stalled after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    const std::vector<std::string> keys{name("due"), name("due"), name("due")};
    for (const std::string& key : keys) store_key(key, "73 hours", true);
    const auto victim = stall("reaper", point, session);
    {
      const ChildProcess other("reaper", environment(database_.url()));
      ASSERT_TRUE(eventually(done)) << other.output();
    }
    store_key(keys[0], "1 hour", true);
    store_key(keys[1], "73 hours", false);
    expected += 2;
    end(*victim);
    EXPECT_EQ(database_.count("idempotency_keys"), expected);
  }
}

TEST_P(HeavyWorkerStallPoints, ReaperStalls) { stall_reaper(Session::kWaits); }

TEST_P(HeavyWorkerStallPoints, ReaperStallsUntilItsSessionIsEnded) { stall_reaper(Session::kIsEnded); }

INSTANTIATE_TEST_SUITE_P(Going, HeavyWorkerStallPoints, testing::Values(To::kServer, To::kClient),
                         [](const auto& each) {
                           return each.param == To::kServer ? "ToServer" : "ToClient";
                         });

}  // namespace
}  // namespace rocket::spec
