#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <set>
#include <string>

#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/rabbitmq_server.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

class HeavyRabbitMq : public testing::Test {
 protected:
  // Long enough for a thousand jobs, of which each batch of twenty is on disk before the next.
  static constexpr std::chrono::seconds kLimit{60};

  std::set<std::string> stage(int count) {
    std::set<std::string> ids;
    for (const auto& row : database_.rows(
             "INSERT INTO staged_jobs (job_name, job_args) SELECT 'send_ride_receipt', "
             "jsonb_build_object('ride_id', i) FROM generate_series(1, $1::int) i RETURNING job_id",
             {std::to_string(count)})) {
      ids.insert(*row[0]);
    }
    return ids;
  }
  std::int64_t staged() { return database_.count("staged_jobs"); }

  // Small batches, so that there are many points at which a process can be killed.
  Environment for_enqueuer() const {
    return {{"DATABASE_URL", database_.url()},
            {"JOB_QUEUE", rabbitmq_.url()},
            {"ENQUEUER_BATCH", "20"},
            {"ENQUEUER_IDLE_MS", "10"}};
  }

  TestDatabase database_;
  RabbitMqServer rabbitmq_;
};

TEST_F(HeavyRabbitMq, HasEveryJobAfterKillsOfEnqueuersAndOfItself) {
  const Finished made = run_to_end("enqueuer", for_enqueuer(), {"--create-queue"});
  ASSERT_EQ(made.exit.code, 0) << made.output;
  rabbitmq_.note_queues();
  std::set<std::string> ids;
  for (int kill = 1; kill <= 2; ++kill) {
    ids.merge(stage(1000));
    const ChildProcess killed("enqueuer", for_enqueuer());
    const ChildProcess survivor("enqueuer", for_enqueuer());
    ASSERT_TRUE(eventually([&] { return staged() < 1000; })) << survivor.output();
    rabbitmq_.kill();
    killed.kill(SIGKILL);
    ids.merge(stage(1));
    survivor.wait_for_line("cannot work");
    rabbitmq_.start();
    ASSERT_TRUE(eventually([&] { return staged() == 0; }, kLimit)) << survivor.output();
  }

  const auto delivered = rabbitmq_.take_ids();
  EXPECT_EQ(std::set<std::string>(delivered.begin(), delivered.end()), ids);
}

}  // namespace
}  // namespace rocket::spec
