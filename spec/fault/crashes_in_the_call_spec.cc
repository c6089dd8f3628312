#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "spec/fault/crash_rig.h"
#include "spec/support/cutting_proxy.h"
#include "spec/support/eventually.h"

// A process is killed, or stalls beyond its lease, in the middle of a foreign call.
namespace rocket::spec {
namespace {

using To = CuttingProxy::To;

// The cases of endpoints that have a foreign call. The messages to the database do not matter here.
std::vector<CrashCase> cases_with_calls() {
  std::vector<CrashCase> cases =
      cases_of({Ending::kSucceeds}, {{To::kServer, Rescue::kClient}, {To::kServer, Rescue::kCompleter}});
  std::erase_if(cases, [](const CrashCase& each) { return !is_possible(*each.endpoint, Ending::kRefused); });
  return cases;
}

class HeavyCrashesInTheCall : public CrashRig {};

// The provider gives no answer. First it does not act on the call, then it charges or refunds.
TEST_P(HeavyCrashesInTheCall, ApiIsKilled) {
  for (const char* charged : {"false", "true"}) {
    start_victim();
    const std::string key = stage_.fresh_key();
    const std::size_t before = provider_calls();
    stage_.provider().fail(std::string("kind=silence&charged=") + charged);
    HttpConnection client = victim_->connect();
    client.send(stage_.request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return provider_calls() > before; }));
    victim_->process().kill(SIGKILL);
    ASSERT_TRUE(victim_->process().wait_for_exit().has_value());
    rescue(key);
  }
  stage_.expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashesInTheCall, ApiStalls) {
  start_victim();
  for (const char* fault : {"kind=slow", "kind=status&status=500", "kind=reset&charged=true"}) {
    const std::string key = stage_.fresh_key();
    const std::size_t before = provider_calls();
    stage_.provider().fail(std::string(fault) + "&delay=100");
    HttpConnection client = victim_->connect();
    client.send(stage_.request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return provider_calls() > before; }));
    victim_->process().kill(SIGSTOP);
    const ClientResponse rescued = rescue(key);
    victim_->process().kill(SIGCONT);
    const ClientResponse late = client.receive();
    EXPECT_TRUE(stage_.is_the_end(late)) << late.body;
    EXPECT_EQ(late.body, rescued.body);
  }
  stage_.expect_each_key_had_one_effect();
}

TEST_P(HeavyCrashesInTheCall, CompleterIsKilled) {
  for (const char* charged : {"false", "true"}) {
    const std::string key = stage_.fresh_key();
    stage_.abandon(key);
    const std::size_t before = provider_calls();
    stage_.provider().fail(std::string("kind=silence&charged=") + charged);
    {
      const ChildProcess victim("completer", stage_.environment());
      ASSERT_TRUE(eventually([&] { return provider_calls() > before; })) << victim.output();
    }
    rescue(key);
  }
  stage_.expect_each_key_had_one_effect();
}

INSTANTIATE_TEST_SUITE_P(Of, HeavyCrashesInTheCall, testing::ValuesIn(cases_with_calls()), name_of_case);

}  // namespace
}  // namespace rocket::spec
