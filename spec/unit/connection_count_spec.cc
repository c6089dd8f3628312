#include "api/connection_count.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace rocket::api {
namespace {

TEST(ConnectionCount, HasALimitInAll) {
  const auto count = std::make_shared<ConnectionCount>(ConnectionLimits{.max_connections = 2});
  auto one = count->enter();
  auto two = count->enter();
  EXPECT_TRUE(one && two);
  EXPECT_TRUE(one->count_for("10.0.0.1") && two->count_for("10.0.0.1"));
  EXPECT_FALSE(count->enter());
  one.reset();
  EXPECT_TRUE(count->enter());
}

TEST(ConnectionCount, HasALimitForEachAddress) {
  const auto count =
      std::make_shared<ConnectionCount>(ConnectionLimits{.max_connections = 9, .max_per_address = 1});
  auto one = count->enter();
  EXPECT_TRUE(one->count_for("10.0.0.1"));
  // A refused connection counts for no address, so its end frees no place either.
  {
    auto refused = count->enter();
    EXPECT_FALSE(refused->count_for("10.0.0.1"));
  }
  EXPECT_FALSE(count->enter()->count_for("10.0.0.1"));
  EXPECT_TRUE(count->enter()->count_for("10.0.0.2"));
  one.reset();
  EXPECT_TRUE(count->enter()->count_for("10.0.0.1"));
}

TEST(ConnectionCount, EndsWithTheLastSlot) {
  auto count = std::make_shared<ConnectionCount>(ConnectionLimits{});
  const std::weak_ptr<ConnectionCount> watched = count;
  auto slot = count->enter();
  count.reset();
  EXPECT_FALSE(watched.expired());
  slot.reset();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace rocket::api
