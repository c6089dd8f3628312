#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spec/fault/crash_rig.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"

// A process is killed at every point of its work. The points are the messages between the process and its
// database that change something, in both directions (CuttingProxy::Counts::kSteps). So they lie before and
// after each statement and each commit, and also before and after everything between them, such as the call
// of the provider and the answer. A first run of each endpoint counts the points, so a new phase or endpoint
// brings its own points. The spec covers requests that succeed and all other endings that the endpoint's
// phases allow. For the middle of the provider's call, see crashes_in_the_call_spec.cc.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

// Named Heavy because it starts some hundred processes.
class HeavyCrashPoints : public CrashRig {
 protected:
  void kill_api_at_each_point();
  void kill_completer_at_each_point();

 private:
  static std::size_t fewest_points() { return GetParam().ending == Ending::kSucceeds ? 3 : 1; }
};

void HeavyCrashPoints::kill_api_at_each_point() {
  const std::size_t points = count_points_of_api();
  ASSERT_GT(points, fewest_points());
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    if (point > 0) start_victim();
    const std::string key = stage_.fresh_key();
    proxy_.after(GetParam().direction, point, [pid = victim_->process().pid()](CuttingProxy& proxy) {
      ::kill(pid, SIGKILL);
      proxy.cut();
    });
    const std::optional<ClientResponse> answer = answer_of_victim(key);
    ASSERT_TRUE(victim_->process().wait_for_exit().has_value());
    const bool was_committed = stage_.has_ended(key);
    const ClientResponse rescued = rescue(key);
    if (!answer) continue;
    EXPECT_TRUE(was_committed) << "answered before the commit: " << answer->body;
    EXPECT_EQ(rescued.body, answer->body);
  }
  stage_.expect_each_key_had_one_effect();
}

void HeavyCrashPoints::kill_completer_at_each_point() {
  const std::size_t points = count_points_of_completer();
  ASSERT_GT(points, fewest_points());
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("killed after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    const std::string key = stage_.fresh_key();
    stage_.abandon(key);
    const auto pid = std::make_shared<std::atomic<pid_t>>(0);
    proxy_.after(GetParam().direction, point, [pid](CuttingProxy& proxy) {
      pid->wait(0);
      ::kill(*pid, SIGKILL);
      proxy.cut();
    });
    {
      const ChildProcess victim("completer", stage_.environment(proxy_.url()));
      *pid = victim.pid();
      pid->notify_all();
      // The completer reaches every point, because it goes on looking for work after the request has ended.
      ASSERT_TRUE(eventually([&] { return proxy_.has_acted(); })) << victim.output();
    }
    rescue(key);
  }
  stage_.expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashPoints, ApiIsKilled) { kill_api_at_each_point(); }

TEST_P(HeavyCrashPoints, CompleterIsKilled) { kill_completer_at_each_point(); }

INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashPoints, testing::ValuesIn(cases_of({Ending::kSucceeds}, all_ways())),
                         name_of_case);

// To save time in CI, the other endings have fewer cases: points only before each statement and after each
// transaction, one rescuer for each direction, and no stalls. The full set runs for requests that succeed.
// That is enough, because within a statement nothing depends on how the request will end.
std::vector<CrashCase> cases_of_other_endings(Rescue to_server, Rescue to_client) {
  return cases_of({Ending::kRefused, Ending::kReleasedThenRetried, Ending::kLookedUp, Ending::kParked},
                  {{To::kServer, to_server}, {To::kClient, to_client}});
}

class HeavyCrashPointsOfApi : public HeavyCrashPoints {};

TEST_P(HeavyCrashPointsOfApi, IsKilled) { kill_api_at_each_point(); }

INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashPointsOfApi,
                         testing::ValuesIn(cases_of_other_endings(Rescue::kClient, Rescue::kCompleter)),
                         name_of_case);

class HeavyCrashPointsOfCompleter : public HeavyCrashPoints {};

TEST_P(HeavyCrashPointsOfCompleter, IsKilled) { kill_completer_at_each_point(); }

INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashPointsOfCompleter,
                         testing::ValuesIn(cases_of_other_endings(Rescue::kCompleter, Rescue::kClient)),
                         name_of_case);
// Rescued only by a completer, because a client may still finish a key that completers have given up.
INSTANTIATE_TEST_SUITE_P(GivenUp, HeavyCrashPointsOfCompleter,
                         testing::ValuesIn(cases_of({Ending::kHopeless},
                                                    {{To::kServer, Rescue::kCompleter},
                                                     {To::kClient, Rescue::kCompleter}})),
                         name_of_case);

}  // namespace
}  // namespace rocket::spec
