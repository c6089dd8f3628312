#include "api/line_budget.h"

#include <gtest/gtest.h>

namespace rocket::api {
namespace {

TEST(LineBudget, LeavesOutWhatIsTooMuchAndSaysHowMuch) {
  LineBudget budget(2);
  LineBudget::Time now{std::chrono::seconds(1000)};
  EXPECT_EQ(budget.take(now), 0);
  EXPECT_EQ(budget.take(now), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(budget.take(now), std::nullopt);
  now += std::chrono::seconds(1);
  EXPECT_EQ(budget.take(now), 5);
  EXPECT_EQ(budget.take(now), 0);
  EXPECT_EQ(budget.take(now), std::nullopt);
}

}  // namespace
}  // namespace rocket::api
