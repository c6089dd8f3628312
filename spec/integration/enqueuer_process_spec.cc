#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "spec/integration/staged_jobs.h"
#include "spec/support/child_process.h"
#include "spec/support/eventually.h"
#include "spec/support/test_database.h"

// The enqueuer as a program. It writes its jobs to its log.
namespace rocket::spec {
namespace {

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
