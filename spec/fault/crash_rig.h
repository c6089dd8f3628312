#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spec/fault/crash_stage.h"
#include "spec/support/api_process.h"
#include "spec/support/cutting_proxy.h"

// The common part of the specs of crashes and stalls. A victim reaches its database through a proxy, which
// stops it at a certain message. Then a rescuer finishes its request. A first run counts the messages.
namespace rocket::spec {

enum class Rescue { kClient, kCompleter };

struct CrashCase {
  const endpoints::Endpoint* endpoint;
  Ending ending;
  CuttingProxy::To direction;
  Rescue rescue;
};

using CrashWay = std::pair<CuttingProxy::To, Rescue>;
// Both directions, each with each rescuer.
std::vector<CrashWay> all_ways();

// One case for each ending, each endpoint that can have it, and each way.
std::vector<CrashCase> cases_of(const std::vector<Ending>& endings, const std::vector<CrashWay>& ways);
std::string name_of_case(const testing::TestParamInfo<CrashCase>& info);

class CrashRig : public testing::TestWithParam<CrashCase> {
 protected:
  // Starts an api behind the proxy. Its statements are prepared when this returns.
  void start_victim();
  // Returns nullopt if the victim was killed before it answered.
  std::optional<ClientResponse> answer_of_victim(const std::string& key);

  // The number of messages of one request, and of a completer from its start to its end. The first function
  // leaves the api running as victim_.
  std::size_t count_points_of_api();
  std::size_t count_points_of_completer();

  // Lets the case's rescuer finish the key, once the server has noticed that the victim is gone. Returns the
  // answer.
  ClientResponse rescue(const std::string& key);

  std::size_t provider_calls() const { return stage_.provider().ledger()["calls"].get<std::size_t>(); }

  CrashStage stage_{*GetParam().endpoint, GetParam().ending};
  CuttingProxy proxy_{stage_.database().url(), GetParam().ending == Ending::kSucceeds
                                                   ? CuttingProxy::Counts::kSteps
                                                   : CuttingProxy::Counts::kStatements};
  ApiProcess rescuer_{stage_.database(), stage_.environment()};
  std::optional<ApiProcess> victim_;
};

}  // namespace rocket::spec
