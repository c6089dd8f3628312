#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "spec/fault/worker_rig.h"
#include "spec/support/child_process.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"
#include "spec/support/rabbitmq_server.h"
#include "spec/support/redis_server.h"
#include "spec/support/test_database.h"

// Workers are killed at each message that they exchange with their database; see crash_points_spec.cc.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

class HeavyWorkerCrashPoints : public WorkerRig {
 protected:
  // Runs the worker until its work is done, or kills it after this many messages of its database. Returns its
  // output.
  std::string run(const std::string& worker, const std::function<bool()>& done, std::size_t messages) {
    return run(worker, environment(), proxy_, done, messages);
  }
  // The same, but counts the messages of the server behind this proxy.
  std::string run(const std::string& worker, const Environment& with, CuttingProxy& at,
                  const std::function<bool()>& done, std::size_t messages) {
    const auto pid = std::make_shared<std::atomic<pid_t>>(0);
    at.after(GetParam(), messages, [pid](CuttingProxy& proxy) {
      pid->wait(0);
      ::kill(*pid, SIGKILL);
      proxy.cut();
    });
    const ChildProcess victim(worker, with);
    *pid = victim.pid();
    pid->notify_all();
    // A worker goes on asking its database for work, so it reaches every point there. It may send nothing
    // more to a broker.
    const bool may_end_before = messages == kNever || &at != &proxy_;
    EXPECT_TRUE(eventually([&] { return at.has_acted() || (may_end_before && done()); })) << victim.output();
    if (at.has_acted()) ++kills_;
    victim.kill(SIGKILL);
    victim.wait_for_exit();
    // Waits until the worker's session in the server has ended too.
    EXPECT_TRUE(eventually([&] {
      return database_.count("pg_stat_activity",
                             "datname = current_database() AND application_name LIKE 'rocket-rides %'") == 0;
    }));
    return victim.output();
  }

  // Kills the enqueuer at each message of its database and of the broker behind this proxy. Calls `begin`
  // before each kill. `delivered` returns the ids that the broker has got since then.
  void run_enqueuer(CuttingProxy& to_broker, const std::function<void()>& begin,
                    const std::function<std::vector<std::string>()>& delivered) {
    Environment with = environment();
    with["JOB_QUEUE"] = to_broker.url();
    const auto done = [&] { return database_.count("staged_jobs") == 0; };
    std::size_t repeated = 0;
    for (CuttingProxy* at : {&proxy_, &to_broker}) {
      stage(3);
      run("enqueuer", with, *at, done, kNever);
      const std::size_t points = at->passed(GetParam());
      ASSERT_GT(points, GetParam() == To::kServer ? 5U : 2U);

      kills_ = 0;
      for (std::size_t point = 0; point < points; ++point) {
        SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) +
                     (at == &to_broker ? " messages of the broker" : " messages"));
        begin();
        const std::set<std::string> staged = stage(3);
        run("enqueuer", with, *at, done, point);
        run("enqueuer", with, *at, done, kNever);
        const std::vector<std::string> all = delivered();
        const std::set<std::string> pushed(all.begin(), all.end());
        EXPECT_TRUE(std::includes(pushed.begin(), pushed.end(), staged.begin(), staged.end()))
            << "a job was lost";
        EXPECT_TRUE(done());
        repeated += all.size() - pushed.size();
      }
      EXPECT_GT(2 * kills_, points) << "most points were never reached";
    }
    EXPECT_GT(repeated, 0U) << "no kill came between the push and the commit";
  }

  std::size_t kills_ = 0;
};

TEST_P(HeavyWorkerCrashPoints, EnqueuerLosesNoJob) {
  const auto done = [&] { return database_.count("staged_jobs") == 0; };
  stage(3);
  run("enqueuer", done, kNever);
  const std::size_t points = proxy_.passed(GetParam());
  ASSERT_GT(points, 5U);

  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    const std::set<std::string> staged = stage(3);
    const std::string output = run("enqueuer", done, point) + run("enqueuer", done, kNever);
    for (const std::string& id : staged) EXPECT_NE(output.find(id), std::string::npos) << "a job was lost";
    EXPECT_TRUE(done());
  }
}

TEST_P(HeavyWorkerCrashPoints, EnqueuerLosesNoJobBetweenItsDatabaseAndRedis) {
  RedisServer redis;
  CuttingProxy to_redis{CuttingProxy::Redis{redis.port()}};
  run_enqueuer(
      to_redis, [&] { redis.ask({"FLUSHALL"}); },
      [&] {
        std::vector<std::string> ids;
        for (const auto& job : redis.jobs()) ids.push_back(job.at("jid").get<std::string>());
        return ids;
      });
}

// RabbitMQ takes seconds to start, so both directions share one server. ctest runs them in one process.
class HeavyRabbitMqCrashPoints : public HeavyWorkerCrashPoints {
 protected:
  static void SetUpTestSuite() { rabbitmq_ = std::make_unique<RabbitMqServer>(); }
  static void TearDownTestSuite() { rabbitmq_.reset(); }
  inline static std::unique_ptr<RabbitMqServer> rabbitmq_;
};

TEST_P(HeavyRabbitMqCrashPoints, EnqueuerLosesNoJob) {
  const Finished made = run_to_end(
      "enqueuer", {{"DATABASE_URL", database_.url()}, {"JOB_QUEUE", rabbitmq_->url()}}, {"--create-queue"});
  ASSERT_EQ(made.exit.code, 0) << made.output;
  CuttingProxy to_rabbitmq{CuttingProxy::RabbitMq{rabbitmq_->port()}};
  run_enqueuer(
      to_rabbitmq, [&] { rabbitmq_->take_ids(); }, [&] { return rabbitmq_->take_ids(); });
}

TEST_P(HeavyWorkerCrashPoints, ReaperRemovesWhatIsDueAndNothingElse) {
  const auto done = [&] { return due_keys() == 0; };
  store_key(name("unfinished"), "73 hours", false);
  store_key(name("young"), "71 hours", true);
  store_key(name("due"), "73 hours", true);
  run("reaper", done, kNever);
  const std::size_t points = proxy_.passed(GetParam());
  ASSERT_GT(points, 5U);

  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    for (int i = 0; i < 3; ++i) store_key(name("due"), "73 hours", true);
    run("reaper", done, point);
    EXPECT_TRUE(due_keys() == 3 || done()) << "half a batch is gone";
    run("reaper", done, kNever);
    EXPECT_TRUE(done());
    EXPECT_EQ(database_.count("idempotency_keys"), 2);
  }
}

std::string name_of_direction(const testing::TestParamInfo<To>& each) {
  return each.param == To::kServer ? "ToServer" : "ToClient";
}

INSTANTIATE_TEST_SUITE_P(Going, HeavyWorkerCrashPoints, testing::Values(To::kServer, To::kClient),
                         name_of_direction);
INSTANTIATE_TEST_SUITE_P(Going, HeavyRabbitMqCrashPoints, testing::Values(To::kServer, To::kClient),
                         name_of_direction);

}  // namespace
}  // namespace rocket::spec
