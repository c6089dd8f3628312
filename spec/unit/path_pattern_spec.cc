#include "rocket/http/path_pattern.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace rocket::http {
namespace {

using Values = std::vector<std::string_view>;

TEST(PathPattern, WithoutVariablesIsOnePath) {
  const PathPattern rides("/rides");
  EXPECT_EQ(rides.match("/rides"), Values());
  for (const char* other : {"", "/", "/ride", "/rides/", "/rides2", "/rides/7", "//rides"}) {
    EXPECT_FALSE(rides.match(other)) << other;
  }
  EXPECT_EQ(PathPattern("/").match("/"), Values());
  EXPECT_EQ(rides.filled({}), "/rides");
}

TEST(PathPattern, MayHaveVariablesAnywhere) {
  const PathPattern tip("/rides/{ride_id}/tips/{tip_id}");
  EXPECT_EQ(tip.variables(), (std::vector<std::string>{"ride_id", "tip_id"}));
  EXPECT_EQ(tip.match("/rides/7/tips/a%20b"), (Values{"7", "a%20b"}));
  for (const char* other : {"/rides/7/tips", "/rides/7/tips/", "/rides//tips/8", "/rides/7/tips/8/",
                            "/rides/7/8", "/rides/7/8/tips/9", "/rides/tips/8"}) {
    EXPECT_FALSE(tip.match(other)) << other;
  }
  EXPECT_EQ(tip.filled({"7", "8"}), "/rides/7/tips/8");
  EXPECT_THROW(tip.filled({"7"}), std::out_of_range);
  EXPECT_EQ(PathPattern("/{a}").match("/b"), Values{"b"});
  EXPECT_EQ(PathPattern("/rides/{ride_id}/tips").match("/rides/7/tips"), Values{"7"});
}

TEST(PathPattern, HasWholeSegmentsAsVariables) {
  for (const char* text : {"", "rides", "{a}", "/rides/{", "/rides/}", "/rides/{}", "/rides/{a", "/rides/a}",
                           "/rides/x{a}", "/rides/{a}x", "/rides/{a{b}}", "/rides/{a/b}", "/}{"}) {
    EXPECT_THROW(PathPattern{text}, std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace rocket::http
