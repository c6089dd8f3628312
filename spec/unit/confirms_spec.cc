#include <gtest/gtest.h>

#include <stdexcept>

#include "rocket/jobs/confirms.h"

namespace rocket::jobs {
namespace {

TEST(Confirms, AreAwaitedUntilEachJobHasOne) {
  Confirms confirms(4, 11);
  EXPECT_EQ(confirms.awaited(), 4U);
  confirms.settle(12, false, true);
  EXPECT_FALSE(confirms.has_taken(0));
  EXPECT_TRUE(confirms.has_taken(1));
  confirms.settle(13, true, true);
  EXPECT_EQ(confirms.awaited(), 1U);
  EXPECT_TRUE(confirms.has_taken(0));
  EXPECT_FALSE(confirms.has_taken(3));
  confirms.settle(14, true, true);
  EXPECT_EQ(confirms.awaited(), 0U);
  EXPECT_EQ(confirms.refused(), 0U);
}

TEST(Confirms, CountWhatWasRefusedOnce) {
  Confirms confirms(3, 1);
  confirms.settle(2, false, false);
  confirms.settle(3, true, true);
  EXPECT_EQ(confirms.awaited(), 0U);
  EXPECT_EQ(confirms.refused(), 1U);
  EXPECT_FALSE(confirms.has_taken(1));
  confirms.settle(2, false, true);
  EXPECT_EQ(confirms.refused(), 1U) << "the first word counts";
}

TEST(Confirms, OfEarlierBatchesAreNotOurs) {
  Confirms confirms(2, 11);
  confirms.settle(10, true, true);
  EXPECT_EQ(confirms.awaited(), 2U);
}

TEST(Confirms, OfWhatWasNotSentAreAMistake) {
  Confirms confirms(2, 11);
  EXPECT_THROW(confirms.settle(13, true, true), std::runtime_error);
}

TEST(Confirms, OfWhatCameBackCountForNothing) {
  Confirms confirms(2, 1);
  confirms.give_back("NO_ROUTE");
  confirms.settle(2, true, true);
  EXPECT_FALSE(confirms.has_taken(0));
  EXPECT_EQ(confirms.given_back(), "NO_ROUTE");
}

}  // namespace
}  // namespace rocket::jobs
