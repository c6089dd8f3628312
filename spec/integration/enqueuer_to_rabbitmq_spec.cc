#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <set>
#include <string>

#include "spec/integration/rabbitmq_fixture.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"

// The enqueuer as a program, with a RabbitMQ as its queue.
namespace rocket::spec {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST_F(RabbitMq, GetsWhatTheEnqueuerMovesOnceItsQueueIsThere) {
  stage(1500);
  const std::string first = database().value("SELECT job_id FROM staged_jobs ORDER BY id LIMIT 1");
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  enqueuer.wait_for_line("no queue");
  EXPECT_EQ(database().count("staged_jobs"), 1500);

  const Finished made = run_to_end("enqueuer", for_enqueuer(), {"--create-queue"});
  EXPECT_EQ(made.exit.code, 0);
  EXPECT_THAT(made.output, HasSubstr(queue_name_));
  enqueuer.wait_for_line("working again");
  ASSERT_TRUE(eventually([&] { return database().count("staged_jobs") == 0; })) << enqueuer.output();
  const auto messages = server_->take_all(queue_name_);
  ASSERT_EQ(messages.size(), 1500U);
  // RabbitMQ may have thrown the first messages away, because the queue was not quite there yet. Then they
  // come again, behind the others.
  const auto message =
      std::find_if(messages.begin(), messages.end(), [&](const auto& each) { return each.id == first; });
  ASSERT_NE(message, messages.end());
  EXPECT_EQ(message->timestamp, 1'767'323'045U);
  EXPECT_EQ(message->body, R"({"ride_id": 1})");
  std::set<std::string> bodies;
  for (const auto& each : messages) bodies.insert(each.body);
  EXPECT_EQ(bodies.size(), 1500U);
}

TEST_F(RabbitMq, LearnsThatTheEnqueuerStopped) {
  create_queue();
  stage(1);
  ASSERT_TRUE(has_no_connection());
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  enqueuer.wait_for_line("moved");
  const std::string connection = connections();
  const std::string name = connection.substr(1, connection.size() - 2);
  enqueuer.kill(SIGTERM);
  EXPECT_EQ(enqueuer.wait_for_exit().value_or(ExitStatus{}).code, 0);
  ASSERT_TRUE(has_no_connection());
  EXPECT_THAT(server_->output(), Not(HasSubstr("closing AMQP connection " + name)))
      << "it was left wondering";
}

TEST_F(RabbitMq, DoesNotKeepTheEnqueuerFromStopping) {
  create_queue();
  server_->pause();
  stage(1);
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  enqueuer.wait_for_line("started");
  EXPECT_TRUE(
      eventually([&] { return database().count("pg_locks", "relation = 'staged_jobs'::regclass") > 0; }));
  enqueuer.kill(SIGTERM);
  const auto exit = enqueuer.wait_for_exit(seconds(10));
  server_->resume();
  ASSERT_TRUE(exit.has_value()) << enqueuer.output();
  EXPECT_EQ(exit->code, 0) << enqueuer.output();
  EXPECT_EQ(database().count("staged_jobs"), 1);
}

TEST_F(RabbitMq, PasswordIsInNoLog) {
  Environment with = for_enqueuer();
  with["JOB_QUEUE"] = server_->url("guest:sesame@");
  stage(1);
  const ChildProcess enqueuer("enqueuer", with);
  enqueuer.wait_for_line("ACCESS_REFUSED");
  EXPECT_THAT(enqueuer.output(), Not(HasSubstr("sesame")));
  const Finished made = run_to_end("enqueuer", with, {"--create-queue"});
  EXPECT_EQ(made.exit.code, 1);
  EXPECT_THAT(made.output, AllOf(HasSubstr("ACCESS_REFUSED"), Not(HasSubstr("sesame"))));
}

}  // namespace
}  // namespace rocket::spec
