#include "rocket/jobs/rabbitmq_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "spec/integration/job_queues.h"
#include "spec/integration/rabbitmq_fixture.h"
#include "spec/support/eventually.h"

namespace rocket::spec {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST_F(RabbitMq, GetsJobsInOrderEachWithItsIdAndType) {
  create_queue();
  jobs::RabbitMqQueue queue(options());
  auto jobs = receipts(3);
  jobs[2].traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  jobs[1].created_at = std::chrono::sys_time<std::chrono::microseconds>(seconds(1'767'323'045));
  queue.push(jobs);
  const auto more = receipts(2);
  queue.push(more);

  jobs.insert(jobs.end(), more.begin(), more.end());
  const auto messages = server_->take_all(queue_name_);
  ASSERT_EQ(messages.size(), jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(messages[i].id, jobs[i].id);
  EXPECT_EQ(messages[1].type, "send_ride_receipt");
  EXPECT_EQ(messages[1].body, R"({"ride_id": 1})");
  EXPECT_EQ(messages[1].content_type, "application/json");
  EXPECT_EQ(messages[1].delivery_mode, 2) << "not on disk";
  EXPECT_EQ(messages[1].timestamp, 1'767'323'045U);
  EXPECT_EQ(messages[1].traceparent, "");
  EXPECT_EQ(messages[2].traceparent, jobs[2].traceparent);
}

TEST_F(RabbitMq, HasAQueueMadeWhichIsDurableAndReplicated) {
  create_queue();
  create_queue();
  EXPECT_EQ(server_->evaluate("{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"" +
                              queue_name_ + "\">>)), {amqqueue:get_type(Q), amqqueue:is_durable(Q)}"),
            "{rabbit_quorum_queue,true}");

  server_->delete_queue(queue_name_);
  create_queue(R"({<<"x-queue-type">>, longstr, <<"classic">>})");
  try {
    create_queue();
    ADD_FAILURE() << "took another queue for it";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("PRECONDITION_FAILED"), HasSubstr("x-queue-type")));
  }
}

TEST_F(RabbitMq, NeedsItsQueueAndSaysHowToMakeIt) {
  jobs::RabbitMqQueue queue(options());
  EXPECT_THAT(failure_of(queue), AllOf(HasSubstr(server_->url()), HasSubstr("no queue '" + queue_name_ + "'"),
                                       HasSubstr("enqueuer --create-queue")));
  create_queue();
  queue.push(receipts(1));
  server_->delete_queue(queue_name_);
  auto jobs = receipts(3);
  // This job is returned in frames of the largest size.
  jobs[0].args = R"({"note": ")" + std::string(300'000, 'x') + "\"}";
  EXPECT_THAT(failure_of(queue, jobs),
              AllOf(HasSubstr("NO_ROUTE"), HasSubstr(queue_name_), HasSubstr("enqueuer --create-queue")))
      << "deleted while it was connected";
  create_queue();
  queue.push(jobs);
  EXPECT_EQ(take_ids(), ids_of(jobs)) << "what came back counted as taken";
}

TEST_F(RabbitMq, TakesJobsOfManyFrames) {
  create_queue();
  auto jobs = receipts(4);
  for (auto& job : jobs) job.args = R"({"note": ")" + std::string(300'000, job.id[0]) + "\"}";
  jobs[3].args = "{}";
  jobs::RabbitMqQueue(options()).push(jobs);
  const auto messages = server_->take_all(queue_name_);
  ASSERT_EQ(messages.size(), jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) EXPECT_TRUE(messages[i].body == jobs[i].args) << i;
}

TEST_F(RabbitMq, RefusesANameThatAmqpCannotHold) {
  create_queue();
  auto jobs = receipts(1);
  jobs[0].name = std::string(256, 'x');
  jobs::RabbitMqQueue queue(options());
  EXPECT_THAT(failure_of(queue, jobs), HasSubstr("255"));
  EXPECT_NO_THROW(queue.push(receipts(1)));
}

TEST_F(RabbitMq, LetsInWhoHasThePasswordAndNoMoreRightsThanItsDocumentationSays) {
  create_queue();
  server_->evaluate(R"(rabbit_auth_backend_internal:add_user(<<"rides">>, <<"ses:@me">>, <<"spec">>),)"
                    R"(rabbit_auth_backend_internal:set_permissions(<<"rides">>, <<"/">>, <<"^$">>,)"
                    R"( <<"^amq\\.default$">>, <<"^$">>, <<"spec">>))");
  jobs::RabbitMqQueue(options(server_->url("rides:ses%3A%40me@"))).push(receipts(1));
  EXPECT_EQ(count(), 1U);

  jobs::RabbitMqQueue impostor(options(server_->url("rides:sesame@")));
  EXPECT_THAT(failure_of(impostor), AllOf(HasSubstr("ACCESS_REFUSED"), Not(HasSubstr("sesame"))));
  jobs::RabbitMqQueue lost(options(server_->url() + "/a%2Fb"));
  EXPECT_THAT(failure_of(lost), HasSubstr("a/b"));

  server_->evaluate(
      R"(rabbit_auth_backend_internal:set_permissions(<<"rides">>, <<"/">>, <<"^$">>, <<"^$">>,)"
      R"( <<"^$">>, <<"spec">>))");
  jobs::RabbitMqQueue powerless(options(server_->url("rides:ses%3A%40me@")));
  EXPECT_THAT(failure_of(powerless), HasSubstr("ACCESS_REFUSED"));
  EXPECT_EQ(count(), 1U);
}

TEST_F(RabbitMq, SaysThatItIsShortOfMemoryAndGoesOnOnceItIsNot) {
  create_queue();
  ASSERT_TRUE(has_no_connection());
  jobs::RabbitMqQueue queue(options());
  queue.push(receipts(1));
  const std::string before = connections();
  server_->begin_alarm();
  const auto begin = steady_clock::now();
  const auto jobs = receipts(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(failure_of(queue, jobs), AllOf(HasSubstr(server_->url()), HasSubstr("low on memory")));
  }
  EXPECT_LT(steady_clock::now() - begin, seconds(15)) << "waited for it";
  EXPECT_EQ(connections(), before) << "a connection for each try would stay until the end of the alarm";
  server_->end_alarm();
  ASSERT_TRUE(eventually([&] { return failure_of(queue, jobs) == "it did not fail"; }));
  const auto ids = take_ids();
  for (const std::string& id : ids_of(jobs)) EXPECT_THAT(ids, testing::Contains(id));
}

TEST_F(RabbitMq, FullQueueGetsNothingTwice) {
  // A classic queue refuses the first job over its limit. A quorum queue begins to refuse a little later.
  create_queue(R"({<<"x-queue-type">>, longstr, <<"classic">>}, {<<"x-max-length">>, long, 5},)"
               R"( {<<"x-overflow">>, longstr, <<"reject-publish">>})");
  jobs::RabbitMqQueue queue(options());
  const auto jobs = receipts(20);
  std::multiset<std::string> taken;
  std::size_t failures = 0;
  ASSERT_TRUE(eventually([&] {
    const std::string failure = failure_of(queue, jobs);
    for (const std::string& id : take_ids()) taken.insert(id);
    if (failure == "it did not fail") return true;
    EXPECT_THAT(failure, AllOf(HasSubstr("it refused"), HasSubstr("may be full")));
    ++failures;
    return false;
  }));
  for (const std::string& id : ids_of(jobs)) EXPECT_EQ(taken.count(id), 1U);
  EXPECT_GT(failures, 0U);
}

TEST_F(RabbitMq, NoticesAConnectionThatEndedWhileItWasIdle) {
  create_queue();
  jobs::RabbitMqQueue queue(options());
  queue.push(receipts(1));
  server_->evaluate("rabbit_networking:close_all_connections(\"spec\"), ok");
  EXPECT_NO_THROW(queue.push(receipts(1)));
  EXPECT_EQ(count(), 2U);
}

TEST_F(RabbitMq, KeepsAnIdleConnection) {
  create_queue();
  ASSERT_TRUE(has_no_connection());
  jobs::RabbitMqOptions with = options();
  with.heartbeat = seconds(2);
  jobs::RabbitMqQueue queue(with);
  queue.push(receipts(1));
  const std::string before = connections();
  EXPECT_NE(before, "[]");
  // RabbitMQ ends the connection after four seconds of silence, at most half a heartbeat later.
  EXPECT_FALSE(eventually(
      [&] {
        queue.keep_alive();
        return connections() != before;
      },
      milliseconds(5500)));
}

TEST_F(RabbitMq, IsNotWaitedForForever) {
  create_queue();
  jobs::RabbitMqOptions with = options();
  jobs::RabbitMqQueue connected(with);
  connected.push(receipts(1));
  // Enough for a busy machine.
  with.timeout = milliseconds(1500);
  jobs::RabbitMqQueue hasty(with);
  hasty.push(receipts(1));
  jobs::RabbitMqQueue impatient(with);
  impatient.push(receipts(1));
  with.connect_timeout = milliseconds(100);
  jobs::RabbitMqQueue unconnected(with);
  auto large = receipts(100);
  for (auto& job : large) job.args = '"' + std::string(200'000, 'x') + '"';
  server_->pause();
  const auto begin = steady_clock::now();
  EXPECT_THAT(failure_of(hasty, receipts(2)), HasSubstr("no answer in time, with 2 of 2 jobs unconfirmed"));
  EXPECT_THAT(failure_of(unconnected), HasSubstr("no answer in time"));
  EXPECT_THAT(failure_of(impatient, large), HasSubstr("no answer in time")) << "more than the system holds";
  EXPECT_LT(steady_clock::now() - begin, seconds(15));
  server_->resume();
  EXPECT_NO_THROW(connected.push(receipts(1)));
}

TEST_F(RabbitMq, OverTlsIsTrustedOnlyWithItsCertificate) {
  create_queue();
  jobs::RabbitMqOptions with = options(server_->tls_url());
  jobs::RabbitMqQueue distrustful(with);
  EXPECT_THAT(failure_of(distrustful), HasSubstr("certificate verify failed"));
  with.ca_file = tls_folder_ + "/certificate.pem";
  jobs::RabbitMqQueue queue(with);
  queue.push(receipts(2));
  queue.push(receipts(2000));
  EXPECT_EQ(count(), 2002U);

  with.address.server.host = "127.0.0.1";
  jobs::RabbitMqQueue misled(with);
  EXPECT_THAT(failure_of(misled), HasSubstr("certificate verify failed")) << "another's certificate";
}

}  // namespace
}  // namespace rocket::spec
