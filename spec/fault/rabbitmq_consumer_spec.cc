#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/payment_provider.h"
#include "spec/support/rabbitmq_server.h"
#include "spec/support/test_database.h"

// spec/consumer is somebody else's service: it is built against the installed package, has a flow and tables
// of its own, and takes its work from a queue instead of from HTTP requests.
namespace rocket::spec {
namespace {

namespace fs = std::filesystem;

class HeavyRabbitMqConsumer : public testing::Test {
 protected:
  static constexpr int kJobs = 40;

  // Building and starting RabbitMQ take seconds, so all tests share both. ctest runs them in one process.
  static void SetUpTestSuite() {
    folder_ = fs::temp_directory_path() / ("rocket_rides_consumer_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    const std::string build = folder_ / "build";
    cmake({"--install", bin_dir() + "/..", "--prefix", prefix()});
    cmake({"-G", "Ninja", "-S", source_dir() + "/spec/consumer", "-B", build,
           "-DCMAKE_PREFIX_PATH=" + prefix()});
    cmake({"--build", build});
    rabbitmq_ = std::make_unique<RabbitMqServer>();
  }
  static void TearDownTestSuite() {
    rabbitmq_.reset();
    fs::remove_all(folder_);
  }
  static void cmake(const std::vector<std::string>& arguments) {
    const ChildProcess cmake("/usr/bin/cmake", {}, arguments);
    const auto end = cmake.wait_for_exit(std::chrono::minutes(5));
    ASSERT_TRUE(end && end->code == 0) << cmake.output();
  }
  static std::string prefix() { return folder_ / "prefix"; }

  HeavyRabbitMqConsumer() {
    database_.execute("CREATE SCHEMA donations; SET search_path TO donations");
    database_.execute(contents_of(prefix() + "/share/rocket_rides/engine.sql"));
    database_.execute(contents_of(source_dir() + "/spec/consumer/schema.sql"));
    database_.execute(contents_of(source_dir() + "/spec/consumer/roles.sql"));
    const Finished made = run_to_end("enqueuer", for_enqueuer(), {"--create-queue"});
    EXPECT_EQ(made.exit.code, 0) << made.output;
  }

  Environment for_enqueuer() const {
    return {{"DATABASE_URL", database_.url()}, {"JOB_QUEUE", rabbitmq_->url()}, {"ENQUEUER_IDLE_MS", "10"}};
  }
  std::unique_ptr<ChildProcess> start_consumer() const {
    Environment environment = provider_.environment();
    environment["DONATIONS_DATABASE_URL"] =
        url_with(database_.url(), {{"user", "donations"}, {"options", "-c search_path=donations"}});
    environment["JOB_QUEUE"] = rabbitmq_->url();
    environment["LEASE_S"] = "2";
    return std::make_unique<ChildProcess>(folder_ / "build" / "donations", environment);
  }
  void stage(int first, int last) {
    database_.execute(
        "INSERT INTO public.staged_jobs (job_name, job_args) SELECT 'send_ride_receipt', "
        "jsonb_build_object('ride_id', i, 'amount_cents', 2000) FROM generate_series($1::int, $2::int) i",
        {std::to_string(first), std::to_string(last)});
  }
  bool calls(std::size_t count) const { return provider_.attempts() >= count; }

  inline static fs::path folder_;
  inline static std::unique_ptr<RabbitMqServer> rabbitmq_;

  TestDatabase database_;
  PaymentProvider provider_;
};

TEST_F(HeavyRabbitMqConsumer, DoesEachJobOnceAlthoughItIsKilledInTheMiddle) {
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  provider_.answer_after(2000);
  stage(1, kJobs / 2);
  auto consumer = start_consumer();
  ASSERT_TRUE(eventually([&] { return calls(3); })) << consumer->output();
  consumer->kill(SIGKILL);
  consumer->wait_for_exit();

  stage(kJobs / 2 + 1, kJobs);
  const std::size_t before = provider_.attempts();
  consumer = start_consumer();
  ASSERT_TRUE(eventually([&] { return calls(before + 3); })) << consumer->output();
  expect_good_end(*consumer);

  provider_.answer_after(0);
  consumer = start_consumer();
  const std::string all = std::to_string(kJobs);
  ASSERT_TRUE(eventually([&] {
    return database_.value("SELECT count(charge_id) FROM donations") == all && rabbitmq_->count() == 0;
  })) << consumer->output();
  expect_good_end(*consumer);

  EXPECT_EQ(database_.value("SELECT count(*) FROM donations"), all);
  EXPECT_EQ(database_.value("SELECT sum(amount_cents) FROM donations"), std::to_string(100 * kJobs));
  EXPECT_EQ(database_.value("SELECT count(*) FROM idempotency_keys WHERE response_code = 200"), all);
  const ChargesByRide charges = provider_.charges();
  EXPECT_EQ(charges.size(), static_cast<std::size_t>(kJobs));
  for (const auto& [ride, ids] : charges) EXPECT_EQ(ids.size(), 1U) << "ride " << ride;
  EXPECT_GT(provider_.attempts(), static_cast<std::size_t>(kJobs)) << "no call was cut off";
}

TEST_F(HeavyRabbitMqConsumer, RejectsWhatIsNoJobOfItsOwn) {
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  database_.execute(
      "INSERT INTO public.staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}'), "
      "('send_ride_receipt', '{\"ride_id\": \"7\", \"amount_cents\": 2000}'), "
      "('send_ride_receipt', '{\"ride_id\": 7, \"amount_cents\": -1}'), "
      "('send_invoice_reminder', '{\"ride_id\": 7, \"amount_cents\": 2000}')");
  stage(1, 1);
  const auto consumer = start_consumer();
  ASSERT_TRUE(eventually([&] {
    return database_.value("SELECT count(charge_id) FROM donations") == "1" && rabbitmq_->count() == 0;
  })) << consumer->output();
  expect_good_end(*consumer);
  EXPECT_EQ(provider_.attempts(), 1U);
  EXPECT_NE(consumer->output().find("not a job of ours"), std::string::npos);
}

TEST_F(HeavyRabbitMqConsumer, GoesOnWithWhatAPersonHasResumed) {
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  provider_.fail("kind=status&status=402&type=card_error&times=1");
  stage(1, 1);
  const auto consumer = start_consumer();
  ASSERT_TRUE(eventually([&] {
    return database_.value("SELECT count(*) FROM idempotency_keys WHERE parked_at IS NOT NULL") == "1";
  })) << consumer->output();
  database_.execute("UPDATE idempotency_keys SET parked_at = NULL, resumed_at = now()");
  ASSERT_TRUE(eventually([&] {
    return database_.value("SELECT count(charge_id) FROM donations") == "1" && rabbitmq_->count() == 0;
  })) << consumer->output();
  expect_good_end(*consumer);
}

TEST_F(HeavyRabbitMqConsumer, DoesNotBeginWithoutItsTables) {
  database_.execute("ALTER TABLE donations DROP COLUMN charge_id");
  const auto consumer = start_consumer();
  EXPECT_EQ(consumer->wait_for_exit()->code, 1);
  EXPECT_NE(consumer->output().find("charge_id"), std::string::npos) << consumer->output();
}

}  // namespace
}  // namespace rocket::spec
