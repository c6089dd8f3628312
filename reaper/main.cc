// Removes idempotency keys that finished long ago and, if told so, old rides and audit records.

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "reaper/due_keys.h"
#include "reaper/reap.h"
#include "rocket/base/log.h"
#include "rocket/base/settings.h"
#include "rocket/idempotency/times.h"
#include "rocket/metrics/database_values.h"
#include "rocket/metrics/exposer.h"
#include "rocket/metrics/registry.h"
#include "rocket/pg/session.h"
#include "rocket/process/database_check.h"
#include "rocket/process/database_settings.h"
#include "rocket/process/event_loop.h"
#include "rocket/process/periodic_query.h"
#include "rocket/process/program.h"
#include "rocket/process/stop_signal.h"
#include "rocket/process/worker_loop.h"

namespace {

using namespace rocket;

struct Options {
  LogOptions log;
  metrics::ExposerOptions metrics{.port = 9404};
  process::DatabaseSettings database;
  std::chrono::seconds retention = idempotency::kKeyRetention;
  // 0: for ever.
  std::chrono::seconds ride_retention{0};
  std::chrono::seconds audit_retention{0};
  process::WorkerLoop loop;
};

std::optional<int> read_options(int argc, char** argv, Options& options) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  constexpr seconds kLongest(100LL * 366 * 86400);
  Settings settings("reaper", "removes idempotency keys that finished long ago");
  settings.add("retention", {"KEY_RETENTION_S"}, "how long finished keys are kept", options.retention,
               seconds(60), seconds(366 * 86400));
  settings.add("ride-retention", {"RIDE_RETENTION_S"}, "how long rides are kept; 0: for ever",
               options.ride_retention, seconds(0), kLongest);
  settings.add("audit-retention", {"AUDIT_RETENTION_S"},
               "how long audit records are kept, 30 days at least; 0: for ever", options.audit_retention,
               seconds(0), kLongest);
  settings.add("batch", {"REAPER_BATCH"}, "rows", "rows removed per transaction", options.loop.full_batch, 1,
               100'000);
  settings.add("idle", {"REAPER_IDLE_MS"}, "pause when there is nothing to do", options.loop.idle,
               milliseconds(1), milliseconds(3'600'000));
  options.database.add_to(settings);
  options.metrics.add_to(settings);
  options.log.add_to(settings);
  return settings.read(argc, argv);
}

void work(const Options& options, process::StopSignal& stop) {
  const Log log("reaper", options.log);
  process::EventLoop event_loop;
  pg::Session session(options.database.connection_options("reaper"));
  log.info("started", {{"retention_s", options.retention.count()}},
           "started; removes keys {retention_s} s after they finished");
  const std::int64_t batch = options.loop.full_batch;
  const pg::Query reap = reaper::reap(options.retention, batch);
  const pg::Query remove_rides = reaper::remove_rides(options.ride_retention, batch);
  const pg::Query remove_audit = reaper::remove_audit_records(options.audit_retention, batch);
  const pg::Query find_oldest = reaper::find_oldest_finished(options.retention);
  std::vector<pg::Statement> statements{*reap.statement, *find_oldest.statement};
  if (options.ride_retention.count() > 0) statements.push_back(*remove_rides.statement);
  if (options.audit_retention.count() > 0) statements.push_back(*remove_audit.statement);
  process::DatabaseCheck database(options.database.connection_options("reaper"), statements);
  metrics::Registry registry("reaper", log);
  auto& reaped = registry.counters("rocket_keys_reaped_total", "Finished keys that were removed.").Add({});
  metrics::DatabaseValues due_keys(registry);
  const std::unique_ptr<metrics::Exposer> exposer = metrics::expose(options.metrics, registry, log);
  std::optional<process::PeriodicQuery> question;
  if (exposer) {
    question.emplace(options.database.connection_options("reaper"), find_oldest,
                     metrics::DatabaseValues::kInterval, log, [&](const pg::Result* found) {
                       if (found == nullptr) return due_keys.not_answered();
                       due_keys.answered(reaper::due_keys(*found));
                     });
  }
  const auto run_once = [&] {
    const std::int64_t keys = event_loop.run(session.run(reap)).affected();
    reaped.Increment(static_cast<double>(keys));
    if (keys > 0) log.info("reaped", {{"keys", keys}}, "reaped {keys} of the finished keys");
    std::int64_t rides = 0;
    if (options.ride_retention.count() > 0) {
      rides = event_loop.run(session.run(remove_rides)).affected();
      if (rides > 0) log.info("removed", {{"rides", rides}}, "removed {rides} old rides");
    }
    std::int64_t records = 0;
    if (options.audit_retention.count() > 0) {
      records = event_loop.run(session.run(remove_audit)).integer(0, "removed");
      if (records > 0)
        log.info("removed", {{"audit_records", records}}, "removed {audit_records} old audit records");
    }
    return std::max({keys, rides, records});
  };
  options.loop.run(stop, log, [&] { return database.run(run_once); });
  log.info("stopped");
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<Options>("reaper", argc, argv, read_options, work);
}
