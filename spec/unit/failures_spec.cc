#include "rocket/endpoints/failures.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace rocket::endpoints {
namespace {

TEST(Failures, AreKnownByTheirCodes) {
  EXPECT_EQ(known_failure("ride_not_found").status, 404);
  EXPECT_THROW(known_failure("no_such_code"), std::out_of_range);
}

TEST(Failures, SayWhenToComeAgain) {
  EXPECT_EQ(refused("ride_unfinished").retry_after, 1);
  EXPECT_EQ(refused("ride_not_found").retry_after, std::nullopt);
}

TEST(Failures, HaveTheProvidersWordsWhereItGaveAny) {
  const auto declined = nlohmann::json::parse(ended("card_declined", {}, "No \xff", "lost_card").body);
  EXPECT_EQ(declined, nlohmann::json::parse(
                          R"({"error": "No �", "code": "card_declined", "decline_code": "lost_card"})"));
  const auto silent = nlohmann::json::parse(ended("card_declined", {}).body);
  EXPECT_EQ(silent, nlohmann::json::parse(R"({"error": "The card was declined.", "code": "card_declined"})"));
}

}  // namespace
}  // namespace rocket::endpoints
