#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "spec/fault/provider_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"

// A payment provider that is slow, silent, broken or confused. Whatever it does, a ride is charged once.
namespace rocket::spec {
namespace {

using Clock = std::chrono::steady_clock;

struct Trouble {
  std::string name;
  // A fault in the form of support/provider/faults.h.
  std::string fault;
};
void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }

const std::vector<Trouble>& troubles() {
  static const std::vector<Trouble> all{
      {"Silent", "kind=silence"},
      {"SilentAfterCharging", "kind=silence&charged=true"},
      {"Resetting", "kind=reset"},
      {"ResettingAfterCharging", "kind=reset&charged=true"},
      {"Late", "kind=slow&delay=700"},
      {"Limiting", "kind=status&status=429&retry_after=1"},
      {"Conflicting", "kind=status&status=409"},
      {"Failing", "kind=status&status=500"},
      {"FailingAfterCharging", "kind=status&status=500&charged=true"},
      {"Unavailable", "kind=status&status=503"},
      {"TimingOut", "kind=status&status=504&charged=true"},
      {"RefusingOurCredentials", "kind=status&status=401"},
      {"Redirecting", "kind=status&status=302"},
      {"SpeakingGarbage", "kind=garbage"},
      {"SpeakingGarbageAfterCharging", "kind=garbage&charged=true"},
      {"HiddenBehindAPage", "kind=page"},
      {"HiddenBehindAPageAfterCharging", "kind=page&charged=true"},
      {"CutOff", "kind=cut&charged=true"},
      {"AnsweringSomebodyElse", "kind=other"},
      {"AnsweringSomebodyElseAfterCharging", "kind=other&charged=true"},
  };
  return all;
}

class ProviderTrouble : public Provider, public testing::WithParamInterface<Trouble> {};

TEST_P(ProviderTrouble, OfAMomentIsOver) {
  const ApiProcess api(database_, environment());
  provider_.fail(GetParam().fault);
  ClientResponse answer;
  EXPECT_TRUE(eventually([&] {
    answer = api.send(ride_request(key_));
    EXPECT_THAT(answer.status, testing::AnyOf(201, 503));
    return answer.status == 201;
  })) << answer.body;
  expect_one_effect();
}

TEST_P(ProviderTrouble, ThatLastsIsToldAndNeverStored) {
  const ApiProcess api(database_, environment());
  provider_.fail(GetParam().fault + "&times=20");
  const auto before = Clock::now();
  const ClientResponse refused = api.send(ride_request(key_));
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(8));
  // An answer that is only late may still be in time for a repeated call.
  if (GetParam().name != "Late") {
    EXPECT_EQ(refused.status, 503) << refused.body;
    EXPECT_EQ(refused.code(), "payment_unavailable");
    EXPECT_GE(refused.header("retry-after"), "1");
    EXPECT_EQ(database_.of_key(key_, "recovery_point"), "ride_created");
    EXPECT_EQ(database_.of_key(key_, "lease"), "NULL") << "released, for anybody to retry";
  }
  provider_.heal();
  EXPECT_EQ(api.send(ride_request(key_)).status, 201);
  expect_one_effect();
}

TEST_P(ProviderTrouble, DuringARefundRefundsOnce) {
  const ApiProcess api(database_, environment());
  EXPECT_EQ(api.send(ride_request(key_)).status, 201);
  const std::string id = database_.value("SELECT id FROM rides");
  provider_.fail(GetParam().fault);
  ClientResponse answer;
  EXPECT_TRUE(eventually([&] {
    answer = api.send(cancel_request(id));
    EXPECT_THAT(answer.status, testing::AnyOf(200, 503));
    return answer.status == 200;
  })) << answer.body;
  const ChargesByRide refunded{{id, {database_.value("SELECT stripe_refund_id FROM refunds")}}};
  EXPECT_EQ(provider_.refunds(), refunded);
  EXPECT_EQ(database_.count("staged_jobs", "job_name = 'send_refund_receipt'"), 1);
}

INSTANTIATE_TEST_SUITE_P(Of, ProviderTrouble, testing::ValuesIn(troubles()),
                         [](const auto& trouble) { return trouble.param.name; });

}  // namespace
}  // namespace rocket::spec
