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

// What crashes and stalls have in common: a victim that reaches its database through a proxy, and is stopped
// there at a certain message, and somebody who rescues its request. The messages are counted in a first run.
namespace rocket::spec {

enum class Rescue { kClient, kCompleter };

struct CrashCase {
  const endpoints::Endpoint* endpoint;
  Ending ending;
  CuttingProxy::To direction;
  Rescue rescue;
};

using CrashWay = std::pair<CuttingProxy::To, Rescue>;
// Both directions, each with both rescuers.
std::vector<CrashWay> all_ways();

// Each of these endings at each endpoint that has it.
std::vector<CrashCase> cases_of(const std::vector<Ending>& endings, const std::vector<CrashWay>& ways);
std::string name_of_case(const testing::TestParamInfo<CrashCase>& info);

class CrashRig : public testing::TestWithParam<CrashCase> {
 protected:
  // An api whose statements are prepared, behind the proxy.
  void start_victim();
  // Nothing when it was killed before.
  std::optional<ClientResponse> answer_of_victim(const std::string& key);

  // The messages of one request, and those of a completer from its start to its end. The api's victim is left
  // running.
  std::size_t count_points_of_api();
  std::size_t count_points_of_completer();

  // Whoever is to rescue the key does, once the server has noticed that the victim is gone. The answer.
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
