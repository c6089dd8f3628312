#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <string>

#include "spec/fault/crash_rig.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"

// A process stalls beyond its lease at every point of its work (see crash_points_spec.cc). It goes on when
// another process has finished the request.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

class HeavyStallPoints : public CrashRig {};

TEST_P(HeavyStallPoints, ApiStallsBeyondItsLease) {
  const std::size_t points = count_points_of_api();
  for (std::size_t point = 0; point < points; ++point) {
    SCOPED_TRACE("stalled after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
    const std::string key = stage_.fresh_key();
    proxy_.after(GetParam().direction, point,
                 [pid = victim_->process().pid()](CuttingProxy&) { ::kill(pid, SIGSTOP); });
    HttpConnection client = victim_->connect();
    client.send(stage_.request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return proxy_.has_acted(); }));
    const ClientResponse rescued = rescue(key);
    victim_->process().kill(SIGCONT);
    ClientResponse late = client.receive();
    // The server may have run what the victim had sent while the rescuer worked.
    if (late.code() == "request_in_progress") late = stage_.send(*victim_, key);
    EXPECT_TRUE(stage_.is_the_end(late)) << late.body;
    EXPECT_EQ(late.body, rescued.body);
  }
  stage_.expect_each_key_had_one_effect();
}

INSTANTIATE_TEST_SUITE_P(Of, HeavyStallPoints, testing::ValuesIn(cases_of({Ending::kSucceeds}, all_ways())),
                         name_of_case);

class HeavyStallPointsOfCompleter : public CrashRig {
 protected:
  // Returns whether the victim had lost its key when it went on.
  bool stall_at(std::size_t point) {
    const std::string key = stage_.fresh_key();
    stage_.abandon(key);
    const auto pid = std::make_shared<std::atomic<pid_t>>(0);
    proxy_.after(GetParam().direction, point, [pid](CuttingProxy&) {
      pid->wait(0);
      ::kill(*pid, SIGSTOP);
    });
    const ChildProcess victim("completer", stage_.environment(proxy_.url()));
    *pid = victim.pid();
    pid->notify_all();
    EXPECT_TRUE(eventually([&] { return proxy_.has_acted(); })) << victim.output();
    const ClientResponse rescued = rescue(key);
    // The victim finishes its current work before it stops.
    victim.kill(SIGCONT);
    victim.kill(SIGTERM);
    const auto exit = victim.wait_for_exit();
    EXPECT_TRUE(exit && exit->code == 0) << victim.output();
    EXPECT_EQ(stage_.send(rescuer_, key).body, rescued.body);
    return victim.output().find("lost to another attempt") != std::string::npos;
  }
};

TEST_P(HeavyStallPointsOfCompleter, StallsBeyondItsLease) {
  const std::size_t points = count_points_of_completer();
  ASSERT_GT(points, 5U);
  std::size_t fenced_off = 0;
  // On a busy machine the rescuer may be faster each time than the statements that the victim had sent. Then
  // the victim loses no key, so try several rounds.
  for (int round = 0; round < 5 && fenced_off == 0 && !HasFailure(); ++round) {
    for (std::size_t point = 0; point < points && !HasFailure(); ++point) {
      SCOPED_TRACE("stalled after " + std::to_string(point) + " of " + std::to_string(points) + " messages");
      if (stall_at(point)) ++fenced_off;
    }
  }
  EXPECT_GT(fenced_off, 0U) << "it never went on with a key that it had lost";
  stage_.expect_each_key_had_one_effect();
}

// Stalls only at messages to the server. The server runs what was sent, so a stall at the answers to that is
// the same.
INSTANTIATE_TEST_SUITE_P(Of, HeavyStallPointsOfCompleter,
                         testing::ValuesIn(cases_of({Ending::kSucceeds},
                                                    {{To::kServer, Rescue::kClient},
                                                     {To::kServer, Rescue::kCompleter}})),
                         name_of_case);

}  // namespace
}  // namespace rocket::spec
