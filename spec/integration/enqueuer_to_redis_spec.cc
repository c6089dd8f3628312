#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <string>

#include "spec/integration/job_queues.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/redis_server.h"
#include "spec/support/test_database.h"

// The enqueuer as a program, with a Redis as its queue.
namespace rocket::spec {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

void stage(TestDatabase& database, int count) { database.execute(kStageReceipts, {std::to_string(count)}); }

Environment to(const RedisServer& redis, const TestDatabase& database) {
  return {{"DATABASE_URL", database.url()}, {"JOB_QUEUE", redis.url()}, {"ENQUEUER_IDLE_MS", "20"}};
}

TEST(EnqueuerToRedis, MovesJobsWithTheTimeOfTheirStaging) {
  TestDatabase database;
  RedisServer redis;
  stage(database, 2500);
  const std::string first = database.value("SELECT job_id FROM staged_jobs ORDER BY id LIMIT 1");
  const ChildProcess enqueuer("enqueuer", to(redis, database));
  ASSERT_TRUE(eventually([&] { return database.count("staged_jobs") == 0; })) << enqueuer.output();
  const auto jobs = redis.jobs();
  ASSERT_EQ(jobs.size(), 2500U);
  EXPECT_EQ(jobs.front().at("jid"), first);
  EXPECT_EQ(jobs.front().at("class"), "SendRideReceipt");
  EXPECT_EQ(jobs.front().at("created_at"), 1767323045.678901);
  EXPECT_EQ(jobs.back().at("args").at(0).at("ride_id"), 2500);
}

TEST(EnqueuerToRedis, KeepsJobsWhileRedisRefusesThemAndSaysEachReasonOnce) {
  TestDatabase database;
  RedisServer redis;
  redis.ask({"SET", "queue:default", "no list"});
  stage(database, 10);
  const ChildProcess enqueuer("enqueuer", to(redis, database));
  enqueuer.wait_for_line("WRONGTYPE");
  redis.kill();
  enqueuer.wait_for_line("Connection refused");
  EXPECT_EQ(database.count("staged_jobs"), 10);
  redis.start();
  redis.ask({"DEL", "queue:default"});
  enqueuer.wait_for_line("working again");
  ASSERT_TRUE(eventually([&] { return database.count("staged_jobs") == 0; })) << enqueuer.output();
  EXPECT_EQ(redis.jobs().size(), 10U);
}

TEST(EnqueuerToRedis, StopsInTimeWhileRedisSaysNothing) {
  TestDatabase database;
  RedisServer redis;
  stage(database, 1);
  redis.pause();
  const ChildProcess enqueuer("enqueuer", to(redis, database));
  enqueuer.wait_for_line("started");
  ASSERT_TRUE(
      eventually([&] { return database.count("pg_locks", "relation = 'staged_jobs'::regclass") > 0; }));
  enqueuer.kill(SIGTERM);
  const auto exit = enqueuer.wait_for_exit(seconds(10));
  ASSERT_TRUE(exit.has_value()) << enqueuer.output();
  EXPECT_EQ(exit->code, 0) << enqueuer.output();
  EXPECT_EQ(database.count("staged_jobs"), 1);
}

TEST(EnqueuerToRedis, ReportsAMistakenUrlWithAllOtherMistakesAndNotItsPassword) {
  for (const char* url :
       {"ftp://:sesame@localhost", "redis://:sesame@localhost/x", "amqp://:sesame@localhost"}) {
    const Finished finished = run_to_end("enqueuer", {{"JOB_QUEUE", url},
                                                      {"ENQUEUER_BATCH", "many"},
                                                      {"LOG_LEVEL", "loud"},
                                                      {"DATABASE_TIMEOUT_MS", "4000"}});
    EXPECT_EQ(finished.exit.code, 2);
    EXPECT_THAT(finished.output, AllOf(HasSubstr("JOB_QUEUE"), HasSubstr("ENQUEUER_BATCH"),
                                       HasSubstr("LOG_LEVEL"), HasSubstr("DATABASE_URL"),
                                       HasSubstr("JOB_QUEUE_TIMEOUT_MS"), Not(HasSubstr("sesame"))));
  }
}

TEST(EnqueuerToRedis, LogsNoPassword) {
  TestDatabase database;
  RedisServer redis;
  redis.require_password("sesame");
  Environment environment = to(redis, database);
  environment["JOB_QUEUE"] = redis.url(":sesame@");
  stage(database, 1);
  const ChildProcess enqueuer("enqueuer", environment);
  enqueuer.wait_for_line("moved");
  redis.kill();
  stage(database, 1);
  enqueuer.wait_for_line("Connection refused");
  EXPECT_THAT(enqueuer.output(), Not(HasSubstr("sesame")));
}

}  // namespace
}  // namespace rocket::spec
