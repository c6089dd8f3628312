#include "simulator/traffic.h"

#include <atomic>
#include <chrono>
#include <future>
#include <stop_token>
#include <vector>

#include "rocket/base/ids.h"
#include "simulator/caller.h"
#include "simulator/http_client.h"
#include "simulator/pacer.h"
#include "simulator/plan.h"
#include "simulator/reachability.h"
#include "simulator/scenarios.h"

namespace rocket::simulator {
namespace {

// Less than the 10 s in which a process must end, because libcurl needs some time to notice.
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

std::string_view what(Scenario scenario) {
  switch (scenario) {
    case Scenario::kRide:
      return "";
    case Scenario::kSimulatedFailure:
      return ", made to fail once";
    case Scenario::kDeclined:
      return ", with a card that is declined";
    case Scenario::kReplay:
      return ", and asked again";
    case Scenario::kDuplicate:
      return ", twice at once";
    case Scenario::kDeposit:
      return " with a key";
    case Scenario::kKeylessDeposit:
      return " without a key";
    case Scenario::kBadRequest:
      return ", with a mistake at first";
    case Scenario::kHangUp:
      return ", and hung up";
    case Scenario::kCancellation:
      return ", and cancelled it";
  }
  return "";
}

std::string_view outcome(Ending ending) {
  switch (ending) {
    case Ending::kAnswered:
      return "answered {status}";
    case Ending::kLeft:
      return "left to the completer";
    case Ending::kParked:
      return "parked for a person";
    case Ending::kUnknown:
      return "nobody knows what came of it";
    case Ending::kRefused:
      return "refused with {status}";
    case Ending::kStopped:
      return "given up, because the simulator stops,";
  }
  return "";
}

// For people who read the log.
std::string sentence_of(const Plan& plan, const CallResult& result) {
  std::string sentence = "{user} asked for a ";
  sentence.append(plan.is_ride() ? "ride" : "deposit").append(what(plan.scenario)).append(": ");
  sentence.append(outcome(result.ending)).append(" after {attempts} ");
  return sentence.append(result.attempts == 1 ? "attempt" : "attempts").append(" and {duration_ms} ms");
}

void log_scenario(const Traffic& traffic, const Plan& plan, const CallResult& result,
                  std::chrono::steady_clock::duration duration) {
  traffic.log.info("scenario",
                   {{"scenario", name_of(plan.scenario)},
                    {"ending", name_of(result.ending)},
                    {"status", result.status},
                    {"attempts", result.attempts},
                    {"duration_ms", std::chrono::duration<double, std::milli>(duration).count()},
                    {"user", plan.user.label},
                    {"number", plan.number}},
                   sentence_of(plan, result));
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
  Reachability reachability(options.url, log);
  std::stop_source ending;
  Traffic traffic{options,
                  users,
                  log,
                  {pacer, statistics, witness, reachability, ending.get_token(),
                   "simulator-" + random_uuid().substr(0, 8)}};
  std::vector<std::future<void>> workers;
  try {
    for (std::int64_t worker = 0; worker < options.concurrency; ++worker) {
      workers.push_back(std::async(std::launch::async, [&traffic] { work(traffic); }));
    }
  } catch (...) {
    // A thread could not be started. Those that run must end, so that the error can be reported.
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
