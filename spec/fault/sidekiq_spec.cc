#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "rocket/base/ids.h"
#include "spec/support/child_process.h"
#include "spec/support/engine_rig.h"
#include "spec/support/eventually.h"
#include "spec/support/paths.h"
#include "spec/support/redis_server.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// Debian's Sidekiq works off the receipts, with the worker class in support/sidekiq.
namespace rocket::spec {
namespace {

class HeavySidekiq : public testing::Test {
 protected:
  // Ruby takes seconds to start, and more on a busy machine.
  static constexpr std::chrono::seconds kLimit{60};

  ~HeavySidekiq() override { std::filesystem::remove(deliveries_); }

  // Stages jobs, and returns the ride of each job by job id.
  std::map<std::string, std::int64_t> stage(int count) {
    std::map<std::string, std::int64_t> rides;
    for (const auto& row :
         database_.rows("INSERT INTO staged_jobs (job_name, job_args) SELECT 'send_ride_receipt', "
                        "jsonb_build_object('ride_id', i) FROM generate_series(1, $1::int) i "
                        "RETURNING job_id, job_args->>'ride_id'",
                        {std::to_string(count)})) {
      rides.emplace(*row[0], std::stoll(*row[1]));
    }
    return rides;
  }
  std::int64_t staged() { return database_.count("staged_jobs"); }

  // Small batches, so that there are many points at which a process can be killed.
  Environment for_enqueuer() const {
    return {{"DATABASE_URL", database_.url()},
            {"JOB_QUEUE", redis_.url()},
            {"ENQUEUER_BATCH", "20"},
            {"ENQUEUER_IDLE_MS", "10"}};
  }
  ChildProcess start_sidekiq() const {
    return ChildProcess("/usr/bin/sidekiq", {{"REDIS_URL", redis_.url()}, {"DELIVERIES", deliveries_}},
                        {"-c", "5", "-q", "default", "-e", "production", "-t", "5", "-r",
                         source_dir() + "/spec/support/sidekiq/workers.rb"});
  }

  struct Deliveries {
    std::map<std::string, std::int64_t> rides;
    // The number of first deliveries of a job, and of repeated ones.
    std::size_t first = 0;
    std::size_t repeated = 0;
  };
  Deliveries deliveries() const {
    Deliveries all;
    std::ifstream file(deliveries_);
    for (std::string line; std::getline(file, line);) {
      // A line without its line end is still being written.
      if (file.eof()) break;
      const auto delivery = nlohmann::json::parse(line);
      const auto ride = delivery.at("args").at("ride_id").get<std::int64_t>();
      const auto known = all.rides.emplace(delivery.at("jid").get<std::string>(), ride).first;
      EXPECT_EQ(known->second, ride) << "two jobs share an id";
      ++(delivery.at("first") == true ? all.first : all.repeated);
    }
    return all;
  }

  TestDatabase database_;
  RedisServer redis_;
  std::string deliveries_ = testing::TempDir() + "deliveries-" + random_uuid();
};

TEST_F(HeavySidekiq, SendsTheReceiptOfARide) {
  EngineRig rig(database_);
  ASSERT_EQ(describe(rig.run(engine_ride(new_key()))), "201");
  const std::string id = database_.value("SELECT job_id FROM staged_jobs");
  const ChildProcess enqueuer("enqueuer", for_enqueuer());
  const ChildProcess sidekiq = start_sidekiq();
  ASSERT_TRUE(eventually([&] { return deliveries().rides.size() == 1; }, kLimit)) << sidekiq.output();
  EXPECT_EQ(deliveries().rides.begin()->first, id);
  EXPECT_EQ(deliveries().rides.begin()->second, database_.number("SELECT id FROM rides"));
}

TEST_F(HeavySidekiq, TellsARepeatedDeliveryByItsId) {
  constexpr int kJobs = 20;
  const auto rides = stage(kJobs);
  // COMMIT waits until the test lets it go on. Redis has the batch by then.
  database_.execute(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END $$");
  database_.execute(
      "CREATE CONSTRAINT TRIGGER wait AFTER DELETE ON staged_jobs DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION wait()");
  database_.rows("SELECT pg_advisory_lock(42)");
  const ChildProcess sidekiq = start_sidekiq();
  {
    const ChildProcess killed("enqueuer", for_enqueuer());
    ASSERT_TRUE(eventually([&] { return deliveries().first == kJobs; }, kLimit)) << sidekiq.output();
    killed.kill(SIGKILL);
  }
  // Ends the connection whose COMMIT waits too, as if the whole machine was gone.
  database_.rows(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  EXPECT_EQ(staged(), kJobs);
  database_.rows("SELECT pg_advisory_unlock(42)");

  const ChildProcess next("enqueuer", for_enqueuer());
  // There are more repetitions if the first enqueuer waited so long that it tried again by itself.
  ASSERT_TRUE(eventually([&] { return staged() == 0 && deliveries().repeated >= kJobs; }, kLimit))
      << sidekiq.output();
  EXPECT_EQ(deliveries().rides, rides);
  EXPECT_EQ(deliveries().first, rides.size());
}

// Sidekiq starts only after Redis was killed. Otherwise Sidekiq itself could lose a job that it has just
// fetched.
TEST_F(HeavySidekiq, WorksEveryJobThroughKillsOfEnqueuersAndOfRedis) {
  std::map<std::string, std::int64_t> rides;
  const auto stage_more = [&](int count) { rides.merge(stage(count)); };
  const auto expect_drained = [&](const ChildProcess& enqueuer) {
    ASSERT_TRUE(eventually([&] { return staged() == 0; }, kLimit))
        << staged() << " left; " << enqueuer.output();
  };

  for (const bool enqueuer_dies : {true, false, true, false}) {
    stage_more(300);
    const std::int64_t before = staged();
    const ChildProcess enqueuer("enqueuer", for_enqueuer());
    ASSERT_TRUE(eventually([&] { return staged() < before; })) << enqueuer.output();
    redis_.kill();
    if (enqueuer_dies) enqueuer.kill(SIGKILL);
    redis_.start();
    if (enqueuer_dies) continue;
    stage_more(1);
    expect_drained(enqueuer);
  }

  const ChildProcess sidekiq = start_sidekiq();
  for (int i = 0; i < 5; ++i) {
    stage_more(300);
    const std::int64_t before = staged();
    const ChildProcess killed("enqueuer", for_enqueuer());
    ASSERT_TRUE(eventually([&] { return staged() < before; })) << killed.output();
  }
  const ChildProcess last("enqueuer", for_enqueuer());
  expect_drained(last);
  const auto worked_off = [&] { return redis_.ask({"LLEN", "queue:default"}) == "0"; };
  ASSERT_TRUE(eventually(worked_off, kLimit)) << sidekiq.output();
  // The second delivery of a job may be written to the file before the first one.
  ASSERT_TRUE(eventually([&] { return deliveries().first >= rides.size(); }, kLimit)) << sidekiq.output();

  const Deliveries all = deliveries();
  EXPECT_EQ(all.rides, rides);
  EXPECT_EQ(all.first, rides.size()) << "a worker could not tell repeated deliveries";
}

}  // namespace
}  // namespace rocket::spec
