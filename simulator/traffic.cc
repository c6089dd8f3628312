#include "simulator/traffic.h"

#include <atomic>
#include <chrono>
#include <future>
#include <stop_token>
#include <vector>

#include "base/ids.h"
#include "simulator/caller.h"
#include "simulator/http_client.h"
#include "simulator/pacer.h"
#include "simulator/plan.h"
#include "simulator/scenarios.h"

namespace rocket::simulator {
namespace {

// Less than the 10 s that a process has to end, with room for libcurl to notice.
constexpr std::chrono::seconds kEndTime{8};

// What the worker threads share.
struct Traffic {
  const Options& options;
  const Users& users;
  const Log& log;
  Stage stage;
  std::atomic<std::uint64_t> next_plan{1};
  std::atomic<bool> give_up{false};
};

void log_scenario(const Traffic& traffic, const Plan& plan, const CallResult& result,
                  std::chrono::steady_clock::duration duration) {
  traffic.log.info("scenario", {{"scenario", name_of(plan.scenario)},
                                {"ending", name_of(result.ending)},
                                {"status", result.status},
                                {"attempts", result.attempts},
                                {"duration_ms", std::chrono::duration<double, std::milli>(duration).count()},
                                {"user", plan.user.label},
                                {"number", plan.number}});
}

void work(Traffic& traffic) {
  const auto caller = [&] {
    return Caller(HttpClient(traffic.options.url, traffic.options.request_timeout, traffic.give_up),
                  traffic.stage);
  };
  Caller first = caller();
  Caller second = caller();
  while (!traffic.stage.stop.stop_requested()) {
    const Plan plan = make_plan(traffic.options.seed, traffic.next_plan.fetch_add(1), traffic.users);
    const auto since = std::chrono::steady_clock::now();
    const CallResult result = play(plan, first, second);
    // Nothing was sent, so nothing happened.
    if (result.attempts == 0) continue;
    traffic.stage.statistics.add(plan.scenario, result.ending);
    if (traffic.log.shows_info()) {
      log_scenario(traffic, plan, result, std::chrono::steady_clock::now() - since);
    }
  }
}

void wait_for_the_end(std::chrono::seconds duration, process::StopSignal& stop) {
  if (duration.count() == 0) {
    stop.wait();
  } else {
    stop.wait_for(duration);
  }
}

}  // namespace

void send_traffic(const Options& options, const Users& users, const Log& log, process::StopSignal& stop,
                  Statistics& statistics, Witness& witness) {
  Pacer pacer(options.rate);
  std::stop_source ending;
  Traffic traffic{
      options,
      users,
      log,
      {pacer, statistics, witness, ending.get_token(), "simulator-" + random_uuid().substr(0, 8)}};
  std::vector<std::future<void>> workers;
  try {
    for (std::int64_t worker = 0; worker < options.concurrency; ++worker) {
      workers.push_back(std::async(std::launch::async, [&traffic] { work(traffic); }));
    }
  } catch (...) {
    // The threads that could be had must not keep us from saying so.
    ending.request_stop();
    traffic.give_up = true;
    throw;
  }
  wait_for_the_end(options.duration, stop);
  ending.request_stop();

  const auto deadline = std::chrono::steady_clock::now() + kEndTime;
  for (const auto& worker : workers) worker.wait_until(deadline);
  traffic.give_up = true;
  for (auto& worker : workers) worker.get();
}

}  // namespace rocket::simulator
