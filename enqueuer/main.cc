// Moves staged jobs into the job queue.

#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "enqueuer/job_counts.h"
#include "rocket/base/log.h"
#include "rocket/base/settings.h"
#include "rocket/jobs/drain.h"
#include "rocket/jobs/queues.h"
#include "rocket/metrics/database_values.h"
#include "rocket/metrics/exposer.h"
#include "rocket/metrics/registry.h"
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
  metrics::ExposerOptions metrics{.port = 9403};
  process::DatabaseSettings database;
  jobs::QueueOptions queue;
  // A job must be seen within a second of its commit.
  process::WorkerLoop loop{.full_batch = 1000, .idle = std::chrono::milliseconds(500)};
  bool create_queue = false;
};

std::optional<int> read_options(int argc, char** argv, Options& options) {
  using std::chrono::milliseconds;
  Settings settings("enqueuer", "moves staged jobs into the job queue");
  settings.add("create-queue", {}, "make the queue at the broker, durable and replicated, and exit",
               options.create_queue);
  options.queue.add_to(settings);
  settings.add("batch", {"ENQUEUER_BATCH"}, "jobs", "jobs per transaction", options.loop.full_batch, 1,
               100'000);
  settings.add("idle", {"ENQUEUER_IDLE_MS"}, "pause when there is nothing to do", options.loop.idle,
               milliseconds(1), milliseconds(3'600'000));
  options.database.add_to(settings);
  options.metrics.add_to(settings);
  options.log.add_to(settings);
  settings.require([&]() -> std::optional<std::string> {
    const jobs::BrokerOptions& broker = options.queue.broker;
    // The transaction waits for the broker, and the server ends it after DATABASE_TIMEOUT_MS.
    if (options.queue.target == "log" || broker.connect_timeout + broker.timeout < options.database.timeout) {
      return std::nullopt;
    }
    return "JOB_QUEUE_CONNECT_TIMEOUT_MS and JOB_QUEUE_TIMEOUT_MS together must be less than "
           "DATABASE_TIMEOUT_MS";
  });
  return settings.read(argc, argv);
}

void work(const Options& options, process::StopSignal& stop) {
  const Log log("enqueuer", options.log);
  process::EventLoop event_loop;
  const std::unique_ptr<jobs::JobQueue> queue = jobs::make_queue(options.queue, log);
  jobs::Drain drain(options.database.connection_options("enqueuer"), *queue, options.loop.full_batch);
  log.info("started", {{"queue", options.queue.shown()}}, "started; moves staged jobs to {queue}");
  metrics::Registry registry("enqueuer", log);
  auto& moved_jobs =
      registry.counters("rocket_jobs_moved_total", "Jobs that were moved to the queue.").Add({});
  metrics::DatabaseValues job_counts(registry);
  const std::unique_ptr<metrics::Exposer> exposer = metrics::expose(options.metrics, registry, log);
  std::optional<process::PeriodicQuery> question;
  if (exposer) {
    question.emplace(options.database.connection_options("enqueuer"), enqueuer::count_jobs(),
                     metrics::DatabaseValues::kInterval, log, [&](const pg::Result* counted) {
                       if (counted == nullptr) return job_counts.not_answered();
                       job_counts.answered(enqueuer::job_counts(*counted));
                     });
  }
  std::vector<pg::Statement> statements = jobs::Drain::statements();
  statements.push_back(*enqueuer::count_jobs().statement);
  process::DatabaseCheck database(options.database.connection_options("enqueuer"), statements);
  const auto run_once = [&] {
    const std::int64_t moved = event_loop.run(drain.run_once());
    moved_jobs.Increment(static_cast<double>(moved));
    if (moved > 0) log.info("moved", {{"jobs", moved}}, "moved {jobs} of the staged jobs");
    return moved;
  };
  options.loop.run(stop, log, [&] { return database.run(run_once); });
  log.info("stopped");
}

int run(const Options& options, process::StopSignal& stop) {
  if (options.create_queue) {
    std::cout << jobs::create_queue(options.queue) << '\n';
    return 0;
  }
  work(options, stop);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return rocket::process::run_program<Options>("enqueuer", argc, argv, read_options, run);
}
