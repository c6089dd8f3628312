// Removes idempotency keys that finished long ago.

#include "reaper/reap.h"
#include "rocket/base/log.h"
#include "rocket/base/settings.h"
#include "rocket/idempotency/times.h"
#include "rocket/pg/session.h"
#include "rocket/process/database_check.h"
#include "rocket/process/database_settings.h"
#include "rocket/process/event_loop.h"
#include "rocket/process/program.h"
#include "rocket/process/stop_signal.h"
#include "rocket/process/worker_loop.h"

namespace {

using namespace rocket;

struct Options {
  LogOptions log;
  process::DatabaseSettings database;
  std::chrono::seconds retention = idempotency::kKeyRetention;
  process::WorkerLoop loop;
};

std::optional<int> read_options(int argc, char** argv, Options& options) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  Settings settings("reaper", "removes idempotency keys that finished long ago");
  settings.add("retention", {"KEY_RETENTION_S"}, "how long finished keys are kept", options.retention,
               seconds(60), seconds(366 * 86400));
  settings.add("batch", {"REAPER_BATCH"}, "keys", "keys removed per transaction", options.loop.full_batch, 1,
               100'000);
  settings.add("idle", {"REAPER_IDLE_MS"}, "pause when there is nothing to do", options.loop.idle,
               milliseconds(1), milliseconds(3'600'000));
  options.database.add_to(settings);
  options.log.add_to(settings);
  return settings.read(argc, argv);
}

void work(const Options& options, process::StopSignal& stop) {
  const Log log("reaper", options.log);
  process::EventLoop event_loop;
  pg::Session session(options.database.connection_options("reaper"));
  log.info("started", {{"retention_s", options.retention.count()}},
           "started; removes keys {retention_s} s after they finished");
  const pg::Query reap = reaper::reap(options.retention, options.loop.full_batch);
  process::DatabaseCheck database(options.database.connection_options("reaper"), {*reap.statement});
  const auto run_once = [&] {
    const pg::Result result = event_loop.run(session.run(reap));
    const std::int64_t removed = result.affected();
    if (removed > 0) log.info("reaped", {{"keys", removed}}, "reaped {keys} of the finished keys");
    return removed;
  };
  options.loop.run(stop, log, [&] { return database.run(run_once); });
  log.info("stopped");
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<Options>("reaper", argc, argv, read_options, work);
}
