#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "rocket/jobs/drain.h"
#include "rocket/process/event_loop.h"
#include "spec/integration/staged_jobs.h"
#include "spec/support/engine_rig.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// How an enqueuer moves staged jobs to a queue. enqueuer_process_spec.cc has the program.
namespace rocket::spec {
namespace {

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

}  // namespace
}  // namespace rocket::spec
