#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "spec/support/child_process.h"

// Which values of JOB_QUEUE the enqueuer accepts.
namespace rocket::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNowhere = "postgresql:///rides?host=%2Fnonexistent%2Fsocket%2Fdirectory";

TEST(QueueOptions, RefuseAnotherMachineWithoutTls) {
  for (const char* url : {"redis://:sesame@queue.example.com", "redis://10.0.0.7:6379/1", "redis://[fd00::7]",
                          "amqp://rides:sesame@queue.example.com/%2F", "amqp://127.0.0.1.example.com"}) {
    const Finished refused = run_to_end("enqueuer", {{"DATABASE_URL", kNowhere}, {"JOB_QUEUE", url}});
    EXPECT_EQ(refused.exit.code, 2) << url;
    EXPECT_THAT(refused.output, AllOf(HasSubstr("JOB_QUEUE"), HasSubstr("JOB_QUEUE_ALLOW_PLAINTEXT=on"),
                                      Not(HasSubstr("sesame"))));
  }
}

TEST(QueueOptions, PermitItWhereThatIsAskedForOrNobodyCanRead) {
  for (const Environment& environment :
       {Environment{{"JOB_QUEUE", "redis://queue.invalid"}, {"JOB_QUEUE_ALLOW_PLAINTEXT", "on"}},
        Environment{{"JOB_QUEUE", "amqp://queue.invalid"}, {"JOB_QUEUE_ALLOW_PLAINTEXT", "on"}},
        Environment{{"JOB_QUEUE", "rediss://queue.invalid"}},
        Environment{{"JOB_QUEUE", "amqps://queue.invalid"}}, Environment{{"JOB_QUEUE", "redis://localhost"}},
        Environment{{"JOB_QUEUE", "redis://[::1]:6379"}}, Environment{{"JOB_QUEUE", "amqp://127.0.0.1"}}}) {
    Environment complete = environment;
    complete["DATABASE_URL"] = kNowhere;
    const ChildProcess enqueuer("enqueuer", complete);
    enqueuer.wait_for_line("started");
    expect_good_end(enqueuer);
  }
}

}  // namespace
}  // namespace rocket::spec
