#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "rocket/endpoints/all.h"
#include "rocket/endpoints/endpoint.h"
#include "rocket/payments/mock_gateway.h"

namespace rocket::endpoints {
namespace {

using idempotency::Flow;
using idempotency::ForeignPhase;
using idempotency::LocalPhase;

std::vector<std::string> points_of(const Flow& flow) {
  std::vector<std::string> points;
  for (const auto& step : flow.steps()) points.emplace_back(step.recovery_point);
  return points;
}

class EndpointsSpec : public testing::Test {
 protected:
  payments::MockGateway gateway_{{}};
  Endpoints all_ = all_endpoints(gateway_, {});
  const Flow& rides_ = all_.at("POST", "/rides").flow;
  const Flow& deposits_ = all_.at("POST", "/deposits").flow;
  const Flow& cancellations_ = all_.at("DELETE", "/rides/{ride_id}").flow;
};

TEST_F(EndpointsSpec, ARideHasTheRecoveryPointsOfTheContract) {
  EXPECT_EQ(points_of(rides_), (std::vector<std::string>{"started", "ride_created", "charge_created"}));
}

TEST_F(EndpointsSpec, OnlyTheChargeIsForeign) {
  EXPECT_TRUE(std::holds_alternative<LocalPhase>(rides_.steps()[0].phase));
  EXPECT_TRUE(std::holds_alternative<ForeignPhase>(rides_.steps()[1].phase));
  EXPECT_TRUE(std::holds_alternative<LocalPhase>(rides_.steps()[2].phase));
}

TEST_F(EndpointsSpec, ADepositIsOneLocalPhase) {
  EXPECT_EQ(points_of(deposits_), std::vector<std::string>{"started"});
  EXPECT_TRUE(std::holds_alternative<LocalPhase>(deposits_.steps()[0].phase));
}

// The refund key is on disk before the provider is asked, so that a repeated call makes no second refund.
TEST_F(EndpointsSpec, ACancellationStoresItsRefundBeforeItAsksForIt) {
  EXPECT_EQ(points_of(cancellations_),
            (std::vector<std::string>{"started", "refund_prepared", "refund_created"}));
  EXPECT_TRUE(std::holds_alternative<LocalPhase>(cancellations_.steps()[0].phase));
  EXPECT_TRUE(std::holds_alternative<ForeignPhase>(cancellations_.steps()[1].phase));
  EXPECT_TRUE(std::holds_alternative<LocalPhase>(cancellations_.steps()[2].phase));
}

TEST_F(EndpointsSpec, EveryStatementIsFencedByLeaseAndRecoveryPoint) {
  const auto sql_of = [](const idempotency::Stretch& stretch) -> std::string {
    return stretch.statements.front()->statement().sql;
  };
  for (const Endpoint& endpoint : all_) {
    for (const auto& step : endpoint.flow.steps()) {
      const std::string fence =
          "k.lease = due.lease AND k.recovery_point = '" + std::string(step.recovery_point) + "'";
      EXPECT_NE(sql_of(endpoint.flow.from(step.recovery_point)).find(fence), std::string::npos);
      if (!std::holds_alternative<ForeignPhase>(step.phase)) continue;
      EXPECT_NE(sql_of(endpoint.flow.after_call(step.recovery_point)).find(fence), std::string::npos);
    }
  }
}

// Statements are prepared under their names.
TEST_F(EndpointsSpec, StatementsHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  const auto statements = all_.statements();
  for (const pg::Statement& statement : statements) names.insert(statement.name);
  EXPECT_EQ(names.size(), statements.size());
}

TEST_F(EndpointsSpec, AreFoundByMethodAndPath) {
  ASSERT_NE(all_.find("POST", "/rides"), nullptr);
  EXPECT_EQ(all_.find("POST", "/rides")->path.text(), "/rides");
  ASSERT_NE(all_.find("POST", "/deposits"), nullptr);
  EXPECT_EQ(all_.find("GET", "/rides"), nullptr);
  EXPECT_EQ(all_.find("POST", "/rides/"), nullptr);
  ASSERT_NE(all_.find("DELETE", "/rides/17"), nullptr);
  EXPECT_EQ(all_.find("DELETE", "/rides/17")->path.text(), "/rides/{ride_id}");
  for (const char* path : {"/rides", "/rides/", "/rides/17/", "/rides/17/18", "/deposits/17"}) {
    EXPECT_EQ(all_.find("DELETE", path), nullptr) << path;
  }
  EXPECT_THROW(all_.at("DELETE", "/rides"), std::out_of_range);
}

}  // namespace
}  // namespace rocket::endpoints
