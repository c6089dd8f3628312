#include "api/line_budget.h"

#include <gtest/gtest.h>

namespace rocket::api {
namespace {

TEST(LineBudget, LeavesOutWhatIsTooMuchAndSaysHowMuch) {
  LineBudget budget(2);
  LineBudget::Time now{std::chrono::seconds(1000)};
  EXPECT_TRUE(budget.take(now));
  EXPECT_TRUE(budget.take(now));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(budget.take(now));
  EXPECT_EQ(budget.left_out(now), 0) << "while it goes on";
  now += std::chrono::seconds(1);
  EXPECT_EQ(budget.left_out(now), 5);
  EXPECT_EQ(budget.left_out(now), 0);
  EXPECT_TRUE(budget.take(now));
}

}  // namespace
}  // namespace rocket::api
