#include "spec/fault/crash_rig.h"

#include <chrono>
#include <csignal>
#include <stdexcept>

#include "spec/support/eventually.h"
#include "spec/support/examples.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

std::string name_of(Ending ending) {
  switch (ending) {
    case Ending::kSucceeds:
      break;
    case Ending::kRefused:
      return "Refused";
    case Ending::kReleasedThenRetried:
      return "ReleasedThenRetried";
    case Ending::kLookedUp:
      return "LookedUp";
    case Ending::kParked:
      return "Parked";
    case Ending::kHopeless:
      return "Hopeless";
  }
  return "";
}

}  // namespace

std::vector<CrashWay> all_ways() {
  return {{To::kServer, Rescue::kClient},
          {To::kServer, Rescue::kCompleter},
          {To::kClient, Rescue::kClient},
          {To::kClient, Rescue::kCompleter}};
}

std::vector<CrashCase> cases_of(const std::vector<Ending>& endings, const std::vector<CrashWay>& ways) {
  std::vector<CrashCase> cases;
  for (const endpoints::Endpoint& endpoint : all_endpoints()) {
    for (const Ending ending : endings) {
      if (!is_possible(endpoint, ending)) continue;
      for (const auto& [direction, rescue] : ways) cases.push_back({&endpoint, ending, direction, rescue});
    }
  }
  return cases;
}

std::string name_of_case(const testing::TestParamInfo<CrashCase>& info) {
  const auto& [endpoint, ending, direction, rescue] = info.param;
  return name_of(*endpoint) + name_of(ending) + (direction == To::kServer ? "ToServer" : "ToClient") +
         (rescue == Rescue::kClient ? "RescuedByClient" : "RescuedByCompleter");
}

void CrashRig::start_victim() {
  victim_.emplace(proxy_.url(), stage_.environment(proxy_.url()));
  ASSERT_TRUE(eventually([&] { return victim_->send(get_request("/readyz")).status == 200; }));
  const std::string key = stage_.fresh_key();
  const ClientResponse answer = stage_.send(*victim_, key);
  ASSERT_TRUE(stage_.is_the_end(answer)) << answer.status << ' ' << answer.body;
}

std::optional<ClientResponse> CrashRig::answer_of_victim(const std::string& key) {
  try {
    return stage_.send(*victim_, key);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

std::size_t CrashRig::count_points_of_api() {
  start_victim();
  const std::string key = stage_.fresh_key();
  proxy_.cut_after(GetParam().direction, kNever);
  EXPECT_TRUE(stage_.is_the_end(stage_.send(*victim_, key)));
  // Messages that come after the answer are points too.
  EXPECT_TRUE(eventually([&] { return stage_.has_ended(key); }));
  return proxy_.passed(GetParam().direction);
}

std::size_t CrashRig::count_points_of_completer() {
  const std::string key = stage_.fresh_key();
  stage_.abandon(key);
  proxy_.cut_after(GetParam().direction, kNever);
  const ChildProcess completer("completer", stage_.environment(proxy_.url()));
  EXPECT_TRUE(eventually([&] { return stage_.has_ended(key); })) << completer.output();
  completer.kill(SIGTERM);
  EXPECT_TRUE(completer.wait_for_exit().has_value());
  return proxy_.passed(GetParam().direction);
}

ClientResponse CrashRig::rescue(const std::string& key) {
  if (GetParam().rescue == Rescue::kCompleter) {
    const ChildProcess completer("completer", stage_.environment());
    using Clock = std::chrono::steady_clock;
    Clock::time_point next_aging{};
    EXPECT_TRUE(eventually([&] {
      // First wait for the victim's transactions: the server may run and commit what the victim sent before
      // it died. Ignore its database check, which may hang but blocks nobody.
      const bool victim_is_gone =
          stage_.database().count("pg_stat_activity",
                                  "datname = current_database() AND pid <> pg_backend_pid()"
                                  " AND xact_start IS NOT NULL AND application_name NOT LIKE '% check'") == 0;
      // Only once a second, because it also ends the completer's lease, and then the completer must begin
      // again.
      if (victim_is_gone && Clock::now() > next_aging) {
        stage_.age(key);
        next_aging = Clock::now() + std::chrono::seconds(1);
      }
      return victim_is_gone && stage_.have_all_ended();
    })) << completer.output();
  }
  // If nothing of the request was committed yet, only the client knows of it.
  ClientResponse answer;
  EXPECT_TRUE(eventually([&] {
    stage_.age(key);
    answer = stage_.send(rescuer_, key);
    return stage_.is_the_end(answer);
  })) << answer.status
      << ' ' << answer.body;
  return answer;
}

}  // namespace rocket::spec
