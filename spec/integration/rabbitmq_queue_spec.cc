#include "jobs/rabbitmq_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/rabbitmq_server.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<jobs::Job> receipts(int count) {
  std::vector<jobs::Job> receipts;
  for (int i = 0; i < count; ++i) {
    receipts.push_back({random_uuid(), "send_ride_receipt", R"({"ride_id": )" + std::to_string(i) + "}", {}});
  }
  return receipts;
}

std::vector<std::string> ids_of(const std::vector<jobs::Job>& jobs) {
  std::vector<std::string> ids;
  for (const jobs::Job& job : jobs) ids.push_back(job.id);
  return ids;
}

// The error message of a push, which must fail.
std::string failure_of(jobs::JobQueue& queue, const std::vector<jobs::Job>& jobs = receipts(1)) {
  try {
    queue.push(jobs);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "it did not fail";
}

// RabbitMQ takes seconds to start, so all tests share one server, and ctest runs them in one process. Each
// test has its own queue.
class RabbitMq : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    tls_folder_ = testing::TempDir() + "rabbitmq-tls-" + random_uuid();
    std::filesystem::create_directory(tls_folder_);
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout " +
        tls_folder_ + "/key.pem -out " + tls_folder_ + "/certificate.pem 2>/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
    server_ = std::make_unique<RabbitMqServer>(tls_folder_);
  }
  static void TearDownTestSuite() {
    server_.reset();
    std::filesystem::remove_all(tls_folder_);
  }

  jobs::RabbitMqOptions options(const std::string& url = server_->url()) const {
    jobs::RabbitMqOptions options;
    options.address = std::get<jobs::RabbitMqAddress>(jobs::rabbitmq_address_of(url));
    options.queue = queue_name_;
    // Long limits, so that a busy machine does not make these tests fail.
    options.connect_timeout = options.timeout = seconds(30);
    return options;
  }
  void create_queue() const { jobs::RabbitMqQueue(options()).create(); }
  // Creates a queue with these arguments, in Erlang's syntax.
  void create_queue(const std::string& arguments) const {
    server_->evaluate("rabbit_amqqueue:declare(rabbit_misc:r(<<\"/\">>, queue, <<\"" + queue_name_ +
                      "\">>), true, false, [" + arguments + "], none, <<\"spec\">>), ok");
  }
  std::vector<std::string> take_ids() const { return server_->take_ids(queue_name_); }
  std::size_t count() const { return server_->count(queue_name_); }
  static std::string connections() { return server_->evaluate("rabbit_networking:connections()"); }
  // Connections that were closed before vanish some time later.
  static bool has_no_connection() {
    return eventually([] { return connections() == "[]"; });
  }

  void stage(int count) {
    database().execute(
        "INSERT INTO staged_jobs (job_name, job_args, created_at) "
        "SELECT 'send_ride_receipt', jsonb_build_object('ride_id', i), '2026-01-02 03:04:05.678901+00' "
        "FROM generate_series(1, $1::int) i",
        {std::to_string(count)});
  }
  Environment for_enqueuer() {
    return {{"DATABASE_URL", database().url()},
            {"JOB_QUEUE", server_->url()},
            {"JOB_QUEUE_NAME", queue_name_},
            {"ENQUEUER_IDLE_MS", "20"}};
  }

  inline static std::string tls_folder_;
  inline static std::unique_ptr<RabbitMqServer> server_;
  // Made on first use, because only some tests need a database.
  TestDatabase& database() {
    if (!database_) database_.emplace();
    return *database_;
  }

  const std::string queue_name_ = "jobs-" + random_uuid();

 private:
  std::optional<TestDatabase> database_;
};

TEST_F(RabbitMq, GetsJobsInOrderEachWithItsIdAndType) {
  create_queue();
  jobs::RabbitMqQueue queue(options());
  auto jobs = receipts(3);
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
  EXPECT_EQ(messages.front().id, first);
  EXPECT_EQ(messages.front().timestamp, 1'767'323'045U);
  EXPECT_EQ(messages.back().body, R"({"ride_id": 1500})");
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
