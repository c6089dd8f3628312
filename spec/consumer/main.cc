// Takes the receipts of rides from a RabbitMQ queue, and gives a part of each ride's price away. It may be
// killed at any moment: RabbitMQ delivers the job again, and the engine goes on where the last attempt
// stopped.

#include <rocket/base/log.h>
#include <rocket/base/settings.h>
#include <rocket/idempotency/engine.h>
#include <rocket/idempotency/keys.h>
#include <rocket/jobs/queues.h>
#include <rocket/payments/provider.h>
#include <rocket/pg/lanes.h>
#include <rocket/process/database_check.h>
#include <rocket/process/database_settings.h>
#include <rocket/process/program.h>
#include <rocket/process/release_leases.h>
#include <rocket/process/stop_signal.h>
#include <asio/co_spawn.hpp>
#include <asio/use_future.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "donation.h"
#include "job_source.h"

namespace {

using namespace rocket;
using donations::JobSource;
using std::chrono::milliseconds;

constexpr std::uint16_t kJobsAtOnce = 64;
constexpr milliseconds kPatience{500};

struct Options {
  LogOptions log;
  process::DatabaseSettings database;
  jobs::QueueOptions queue;
  payments::ProviderOptions provider;
  std::chrono::seconds lease_time = idempotency::kLeaseTime;
};

std::optional<int> read_options(int argc, char** argv, Options& options) {
  Settings settings("donations", "gives away a part of each ride's price");
  settings.add("lease", {"LEASE_S"}, "how long an attempt may be silent before another one takes over",
               options.lease_time, std::chrono::seconds(1), std::chrono::seconds(3600));
  options.queue.add_to(settings);
  options.provider.add_to(settings);
  options.database.add_to(settings);
  options.database.add_lanes_to(settings);
  options.log.add_to(settings);
  settings.require([&]() -> std::optional<std::string> {
    if (std::holds_alternative<jobs::RabbitMqAddress>(options.queue.address)) return std::nullopt;
    return "JOB_QUEUE must be the URL of a RabbitMQ";
  });
  return settings.read(argc, argv);
}

// The slot keeps the lane until the coroutine ends.
asio::awaitable<idempotency::Outcome> attempt(pg::Lanes::Slot slot, const idempotency::Engine& engine,
                                              const idempotency::Flow& flow, idempotency::Request request) {
  co_return co_await engine.run(slot.lane(), flow, std::move(request));
}

enum class Fate { kDone, kLater, kNever };

Fate fate_of(const idempotency::Outcome& outcome) {
  if (std::holds_alternative<idempotency::Response>(outcome)) return Fate::kDone;
  switch (std::get<idempotency::Refusal>(outcome).kind) {
    case idempotency::RefusalKind::kKeyReused:
      return Fate::kNever;
    default:
      // Also a key that is parked: once a person has resumed it, the job goes on.
      return Fate::kLater;
  }
}

// Throws std::runtime_error if the database lacks something, or a body has a mistake.
void check_database(const Options& options, const idempotency::Flow& flow) {
  std::vector<pg::Statement> statements = flow.statements();
  for (const pg::Statement& each : idempotency::key_statements()) statements.push_back(each);
  process::DatabaseCheck(options.database.connection_options("donations"), statements).run([] { return 0; });
}

class Worker {
 public:
  Worker(const Options& options, const Log& log)
      : log_(log),
        gateway_(payments::make_gateway(options.provider)),
        flow_(donations::donation(*gateway_)),
        engine_({.lease_time = options.lease_time}, log),
        lanes_(static_cast<std::size_t>(options.database.lanes), options.database.lane_options("donations"),
               log),
        jobs_(std::get<jobs::RabbitMqAddress>(options.queue.address), options.queue.broker.queue,
              kJobsAtOnce) {}

  const idempotency::Flow& flow() const { return flow_; }

  void run(process::StopSignal& stop) {
    while (!stop.requested()) {
      for (JobSource::Delivery& each : jobs_.take(kPatience)) waiting_.push_back(std::move(each));
      work_on_all(stop);
    }
    // What is still under way is released, and RabbitMQ delivers the jobs again.
    process::release_leases(engine_, lanes_.enter().lane(), log_);
    lanes_.stop();
  }

 private:
  void work_on_all(const process::StopSignal& stop) {
    std::vector<std::pair<JobSource::Delivery, std::future<idempotency::Outcome>>> attempts;
    for (JobSource::Delivery& each : std::exchange(waiting_, {})) {
      std::optional<idempotency::Request> request = donations::request_of(each.job);
      if (!request) {
        log_.error("not a job of ours", {{"job_id", each.job.id}});
        jobs_.reject(each);
        continue;
      }
      pg::Lanes::Slot slot = lanes_.enter(request->key);
      const asio::any_io_executor executor = slot.lane().executor();
      auto outcome = asio::co_spawn(executor, attempt(std::move(slot), engine_, flow_, std::move(*request)),
                                    asio::use_future);
      attempts.emplace_back(std::move(each), std::move(outcome));
    }
    for (auto& [delivery, outcome] : attempts) {
      while (outcome.wait_for(milliseconds(100)) != std::future_status::ready) {
        if (stop.requested()) return;
      }
      end(delivery, fate_of(outcome.get()));
    }
  }

  void end(JobSource::Delivery& delivery, Fate fate) {
    switch (fate) {
      case Fate::kDone:
        log_.info("done", {{"job_id", delivery.job.id}});
        return jobs_.acknowledge(delivery);
      case Fate::kNever:
        log_.error("another job has the same id", {{"job_id", delivery.job.id}});
        return jobs_.reject(delivery);
      case Fate::kLater:
        waiting_.push_back(std::move(delivery));
    }
  }

  const Log& log_;
  std::unique_ptr<payments::ChargeGateway> gateway_;
  idempotency::Flow flow_;
  idempotency::Engine engine_;
  pg::Lanes lanes_;
  JobSource jobs_;
  // Taken and not acknowledged.
  std::vector<JobSource::Delivery> waiting_;
};

void run(const Options& options, process::StopSignal& stop) {
  const Log log("donations", options.log);
  Worker worker(options, log);
  check_database(options, worker.flow());
  log.info("started");
  worker.run(stop);
  log.info("stopped");
}

}  // namespace

int main(int argc, char** argv) {
  return process::run_program<Options>("donations", argc, argv, read_options, run);
}
