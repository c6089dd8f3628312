#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "jobs/drain.h"
#include "process/event_loop.h"
#include "spec/support/child_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

namespace rocket::spec {
namespace {

using testing::HasSubstr;

// A queue that records the jobs it was given. Thread safe.
class RecordingQueue : public jobs::JobQueue {
 public:
  void push(std::span<const jobs::Job> jobs) override {
    const std::lock_guard lock(mutex_);
    ++pushes_;
    for (const jobs::Job& job : jobs) {
      if (accepts_ == 0) throw std::runtime_error("the queue is away");
      if (accepts_ > 0) --accepts_;
      deliveries_.push_back(job);
    }
  }

  // Accepts this many more jobs. After that every push fails, even in the middle. Negative: accepts all jobs.
  void accept(int jobs) {
    const std::lock_guard lock(mutex_);
    accepts_ = jobs;
  }
  std::vector<jobs::Job> deliveries() const {
    const std::lock_guard lock(mutex_);
    return deliveries_;
  }
  // The number of deliveries of each id.
  std::map<std::string, int> times_by_id() const {
    std::map<std::string, int> times;
    for (const jobs::Job& job : deliveries()) ++times[job.id];
    return times;
  }
  int pushes() const {
    const std::lock_guard lock(mutex_);
    return pushes_;
  }

 private:
  mutable std::mutex mutex_;
  int accepts_ = -1;
  int pushes_ = 0;
  std::vector<jobs::Job> deliveries_;
};

// An enqueuer in this process, with its own connection.
class DrainRig {
 public:
  DrainRig(const TestDatabase& database, jobs::JobQueue& queue, std::int64_t batch)
      : drain_(connection_options(database), queue, batch) {}

  std::int64_t run_once() { return loop_.run(drain_.run_once()); }

 private:
  static pg::ConnectionOptions connection_options(const TestDatabase& database) {
    pg::ConnectionOptions options;
    options.url = database.url();
    options.transaction_timeout = std::chrono::seconds(20);
    return options;
  }

  process::EventLoop loop_;
  jobs::Drain drain_;
};

constexpr const char* kStage =
    "INSERT INTO staged_jobs (job_name, job_args) SELECT 'send_ride_receipt', jsonb_build_object('n', i) "
    "FROM generate_series(1, $1::int) i";

void stage(TestDatabase& database, int count) { database.execute(kStage, {std::to_string(count)}); }

std::set<std::string> staged_ids(TestDatabase& database) {
  std::set<std::string> ids;
  for (const auto& row : database.rows("SELECT job_id FROM staged_jobs")) ids.insert(*row[0]);
  return ids;
}

std::set<std::string> ids_of(const std::map<std::string, int>& times) {
  std::set<std::string> ids;
  for (const auto& [id, count] : times) ids.insert(id);
  return ids;
}

// The number of deliveries of each id in the log of an enqueuer with LOG_FORMAT=json.
std::map<std::string, int> logged_times(const ChildProcess& enqueuer) {
  std::map<std::string, int> times;
  std::istringstream lines(enqueuer.output());
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (event.is_object() && event.value("event", "") == "job")
      ++times[event.at("job_id").get<std::string>()];
  }
  return times;
}

Environment json_logging(const TestDatabase& database) {
  return {{"DATABASE_URL", database.url()}, {"LOG_FORMAT", "json"}};
}

TEST(Enqueuer, MovesJobsInTheOrderInWhichTheyWereStaged) {
  TestDatabase database;
  stage(database, 25);
  RecordingQueue queue;
  DrainRig drain(database, queue, 10);

  EXPECT_EQ(drain.run_once(), 10);
  EXPECT_EQ(database.count("staged_jobs"), 15);
  EXPECT_EQ(drain.run_once(), 10);
  EXPECT_EQ(drain.run_once(), 5);
  EXPECT_EQ(drain.run_once(), 0);

  EXPECT_EQ(database.count("staged_jobs"), 0);
  const auto deliveries = queue.deliveries();
  ASSERT_EQ(deliveries.size(), 25U);
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    EXPECT_EQ(deliveries[i].name, "send_ride_receipt");
    EXPECT_EQ(nlohmann::json::parse(deliveries[i].args).at("n"), i + 1);
  }
}

TEST(Enqueuer, DeliversTheReceiptOfARide) {
  TestDatabase database;
  EngineRig rig(database);
  ASSERT_EQ(describe(rig.run(engine_ride(new_key()))), "201");
  RecordingQueue queue;

  EXPECT_EQ(DrainRig(database, queue, 10).run_once(), 1);

  const jobs::Job receipt = queue.deliveries().at(0);
  EXPECT_EQ(receipt.name, "send_ride_receipt");
  const auto args = nlohmann::json::parse(receipt.args);
  EXPECT_EQ(args.at("ride_id"), database.number("SELECT id FROM rides"));
  EXPECT_EQ(args.at("user_id"), database.number("SELECT user_id FROM rides"));
  EXPECT_EQ(args.at("amount_cents"), 2000);
}

TEST(Enqueuer, DoesNotBotherTheQueueWhenThereIsNothing) {
  TestDatabase database;
  RecordingQueue queue;
  EXPECT_EQ(DrainRig(database, queue, 10).run_once(), 0);
  EXPECT_EQ(queue.pushes(), 0);
}

TEST(Enqueuer, LosesNothingWhenTheQueueFails) {
  TestDatabase database;
  stage(database, 350);
  const std::set<std::string> staged = staged_ids(database);
  RecordingQueue queue;
  DrainRig drain(database, queue, 100);

  // The third push fails in the middle. 50 of its jobs have arrived, and will arrive again.
  queue.accept(250);
  EXPECT_EQ(drain.run_once(), 100);
  EXPECT_EQ(drain.run_once(), 100);
  EXPECT_THROW(drain.run_once(), std::runtime_error);
  EXPECT_EQ(database.count("staged_jobs"), 150);
  EXPECT_THROW(drain.run_once(), std::runtime_error);
  EXPECT_EQ(database.count("staged_jobs"), 150);
  queue.accept(-1);
  EXPECT_EQ(drain.run_once(), 100);
  EXPECT_EQ(drain.run_once(), 50);

  const auto times = queue.times_by_id();
  EXPECT_EQ(ids_of(times), staged) << "the ids must not change between deliveries";
  EXPECT_EQ(std::count_if(times.begin(), times.end(), [](const auto& each) { return each.second == 2; }), 50);
  EXPECT_EQ(queue.deliveries().size(), 400U);
  EXPECT_EQ(database.count("staged_jobs"), 0);
}

TEST(Enqueuer, DeliversAJobWhoseTransactionCommitsLateWithALowerId) {
  TestDatabase database;
  SqlSession late = database.open_session();
  late.execute("BEGIN");
  late.execute(kStage, {"1"});
  const std::string late_id = late.value("SELECT job_id FROM staged_jobs");
  stage(database, 5);
  RecordingQueue queue;
  DrainRig drain(database, queue, 10);

  EXPECT_EQ(drain.run_once(), 5);
  EXPECT_EQ(drain.run_once(), 0);
  EXPECT_EQ(queue.times_by_id().count(late_id), 0U);
  late.execute("COMMIT");
  EXPECT_EQ(drain.run_once(), 1);
  EXPECT_EQ(queue.deliveries().back().id, late_id);
}

TEST(Enqueuer, NeverDeliversWhatWasRolledBack) {
  TestDatabase database;
  SqlSession regretful = database.open_session();
  regretful.execute("BEGIN");
  regretful.execute(kStage, {"3"});
  RecordingQueue queue;
  DrainRig drain(database, queue, 10);
  EXPECT_EQ(drain.run_once(), 0);
  regretful.execute("ROLLBACK");
  EXPECT_EQ(drain.run_once(), 0);
}

TEST(Enqueuer, SharesTheWorkWithOthersWithoutDuplicates) {
  constexpr int kJobs = 4000;
  TestDatabase database;
  stage(database, kJobs);
  const std::set<std::string> staged = staged_ids(database);
  RecordingQueue queue;
  std::vector<std::thread> enqueuers;
  for (int i = 0; i < 4; ++i) {
    enqueuers.emplace_back([&] {
      DrainRig drain(database, queue, 60);
      while (drain.run_once() > 0) {
      }
    });
  }
  for (auto& each : enqueuers) each.join();

  EXPECT_EQ(ids_of(queue.times_by_id()), staged);
  EXPECT_EQ(queue.deliveries().size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(database.count("staged_jobs"), 0);
}

TEST(Enqueuer, PassesByWhatAnotherOneHolds) {
  TestDatabase database;
  stage(database, 3);
  SqlSession other = database.open_session();
  other.execute("BEGIN");
  other.rows("SELECT id FROM staged_jobs ORDER BY id LIMIT 1 FOR UPDATE");
  RecordingQueue queue;
  DrainRig drain(database, queue, 60);
  EXPECT_EQ(drain.run_once(), 2);
  other.execute("ROLLBACK");
  EXPECT_EQ(drain.run_once(), 1);
}

TEST(EnqueuerProcess, MovesManyBatchesEachJobOnce) {
  constexpr int kJobs = 3500;
  TestDatabase database;
  stage(database, kJobs);
  const std::set<std::string> staged = staged_ids(database);
  Environment environment = json_logging(database);
  environment["ENQUEUER_BATCH"] = "1000";
  // After a full batch, the next one follows at once.
  environment["ENQUEUER_IDLE_MS"] = "3600000";
  const ChildProcess enqueuer("enqueuer", environment);

  ASSERT_TRUE(eventually([&] { return database.count("staged_jobs") == 0; })) << enqueuer.output();
  enqueuer.kill(SIGTERM);
  ASSERT_TRUE(enqueuer.wait_for_exit().has_value());
  const auto times = logged_times(enqueuer);
  EXPECT_EQ(ids_of(times), staged);
  for (const auto& [id, count] : times) EXPECT_EQ(count, 1) << id;
}

TEST(EnqueuerProcess, SeesAJobSoonAfterItsCommit) {
  TestDatabase database;
  const ChildProcess enqueuer("enqueuer", json_logging(database));
  enqueuer.wait_for_line("started");
  // Several times, because a single job may arrive at the end of a pause by chance.
  for (int i = 0; i < 3; ++i) {
    const std::string id = database.value(
        "INSERT INTO staged_jobs (job_name, job_args) VALUES ('send_ride_receipt', '{}') RETURNING job_id");
    // One second is promised. The rest allows for a busy machine.
    EXPECT_NO_THROW(enqueuer.wait_for_line(id, std::chrono::seconds(3)));
  }
}

TEST(EnqueuerProcess, DeliversAgainWithTheSameIdsWhenKilledBetweenPushAndCommit) {
  constexpr std::size_t kJobs = 20;
  TestDatabase database;
  stage(database, kJobs);
  const std::set<std::string> staged = staged_ids(database);
  // COMMIT waits until the test lets it go on. The enqueuer has pushed by then.
  database.execute(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END $$");
  database.execute(
      "CREATE CONSTRAINT TRIGGER wait AFTER DELETE ON staged_jobs DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION wait()");
  database.rows("SELECT pg_advisory_lock(42)");

  {
    const ChildProcess killed("enqueuer", json_logging(database));
    ASSERT_TRUE(eventually([&] { return logged_times(killed).size() == kJobs; })) << killed.output();
    killed.kill(SIGKILL);
    ASSERT_TRUE(killed.wait_for_exit().has_value());
    EXPECT_EQ(ids_of(logged_times(killed)), staged);
    // Ends the connection whose COMMIT waits too, as if the whole machine was gone.
    database.rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  }
  EXPECT_EQ(staged_ids(database), staged);
  database.rows("SELECT pg_advisory_unlock(42)");

  const ChildProcess next("enqueuer", json_logging(database));
  ASSERT_TRUE(eventually([&] { return database.count("staged_jobs") == 0; })) << next.output();
  EXPECT_TRUE(eventually([&] { return ids_of(logged_times(next)) == staged; })) << next.output();
}

}  // namespace
}  // namespace rocket::spec
