#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

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

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

class HeavyWorkerCrashPoints : public testing::TestWithParam<To> {
 protected:
  Environment environment() const {
    return {{"DATABASE_URL", proxy_.url()}, {"ENQUEUER_IDLE_MS", "20"}, {"REAPER_IDLE_MS", "20"}};
  }

  // Runs the worker until its work is done, or it is killed after so many messages of its database. Its
  // output.
  std::string run(const std::string& worker, const std::function<bool()>& done, std::size_t messages) {
    return run(worker, environment(), proxy_, done, messages);
  }
  // The same with messages of whatever is behind this proxy.
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
    EXPECT_TRUE(eventually([&] { return at.has_acted() || done(); })) << victim.output();
    victim.kill(SIGKILL);
    victim.wait_for_exit();
    // What its server session was doing ends with it.
    EXPECT_TRUE(eventually([&] {
      return database_.count("pg_stat_activity",
                             "datname = current_database() AND application_name LIKE 'rocket-rides %'") == 0;
    }));
    return victim.output();
  }

  // Kills the enqueuer at each message of its database and of the broker behind this proxy. `begin` is called
  // before each kill, `delivered` says what the broker has then got.
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
      ASSERT_GT(points, GetParam() == To::kServer ? 10U : 2U);

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
    }
    EXPECT_GT(repeated, 0U) << "no kill came between the push and the commit";
  }

  // The ids of so many new jobs.
  std::set<std::string> stage(int jobs) {
    std::set<std::string> ids;
    for (const auto& row : database_.rows("INSERT INTO staged_jobs (job_name, job_args) "
                                          "SELECT 'send_ride_receipt', '{}' FROM generate_series(1, $1::int) "
                                          "RETURNING job_id",
                                          {std::to_string(jobs)})) {
      ids.insert(*row[0]);
    }
    return ids;
  }

  TestDatabase database_;
  CuttingProxy proxy_{database_.url()};
};

TEST_P(HeavyWorkerCrashPoints, EnqueuerLosesNoJob) {
  const auto done = [&] { return database_.count("staged_jobs") == 0; };
  stage(3);
  run("enqueuer", done, kNever);
  const std::size_t points = proxy_.passed(GetParam());
  ASSERT_GT(points, 10U);

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

TEST_P(HeavyWorkerCrashPoints, EnqueuerLosesNoJobBetweenItsDatabaseAndRabbitMq) {
  RabbitMqServer rabbitmq;
  const Finished made = run_to_end("enqueuer",
                                   {{"DATABASE_URL", database_.url()},
                                    {"DATABASE_TIMEOUT_MS", "30000"},
                                    {"JOB_QUEUE", rabbitmq.url()},
                                    {"JOB_QUEUE_CONNECT_TIMEOUT_MS", "3000"}},
                                   {"--create-queue"});
  ASSERT_EQ(made.exit.code, 0) << made.output;
  CuttingProxy to_rabbitmq{CuttingProxy::RabbitMq{rabbitmq.port()}};
  run_enqueuer(
      to_rabbitmq, [&] { rabbitmq.take_ids(); }, [&] { return rabbitmq.take_ids(); });
}

TEST_P(HeavyWorkerCrashPoints, ReaperRemovesWhatIsDueAndNothingElse) {
  const auto store = [&](const std::string& kind, const std::string& age, bool finished) {
    database_.execute(
        "INSERT INTO idempotency_keys (id, user_id, idempotency_key, request_method, request_path, "
        "request_params,"
        " created_at, last_run_at, recovery_point, response_code, response_body, finished_at) "
        "SELECT gen_random_uuid(), 1, $1 || gen_random_uuid(), 'POST', '/rides', '{}', at, at, $3, "
        " CASE WHEN $3 = 'finished' THEN 201 END, CASE WHEN $3 = 'finished' THEN '{}' END, "
        " CASE WHEN $3 = 'finished' THEN at END FROM (SELECT now() - $2::interval AS at) made",
        {kind + "-", age, finished ? "finished" : "started"});
  };
  const auto due = [&] { return database_.count("idempotency_keys", "idempotency_key LIKE 'due-%'"); };
  const auto done = [&] { return due() == 0; };
  store("unfinished", "73 hours", false);
  store("young", "71 hours", true);
  store("due", "73 hours", true);
  run("reaper", done, kNever);
  const std::size_t points = proxy_.passed(GetParam());
  ASSERT_GT(points, 10U);

  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    for (int i = 0; i < 3; ++i) store("due", "73 hours", true);
    run("reaper", done, point);
    EXPECT_TRUE(due() == 3 || due() == 0) << "half a batch is gone";
    run("reaper", done, kNever);
    EXPECT_EQ(due(), 0);
    EXPECT_EQ(database_.count("idempotency_keys"), 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Going, HeavyWorkerCrashPoints, testing::Values(To::kServer, To::kClient),
                         [](const auto& each) {
                           return each.param == To::kServer ? "ToServer" : "ToClient";
                         });

}  // namespace
}  // namespace rocket::spec
