#include "rocket/base/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace rocket {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongest) {
  Backoff backoff(milliseconds(100), milliseconds(500));
  for (const int bound : {100, 200, 400, 500, 500}) {
    const milliseconds pause = backoff.next();
    EXPECT_GE(pause, milliseconds(bound / 2));
    EXPECT_LE(pause, milliseconds(bound));
  }
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  Backoff backoff(milliseconds(10), milliseconds(1000));
  for (int i = 0; i < 5; ++i) backoff.next();
  backoff.reset();
  EXPECT_LE(backoff.next(), milliseconds(10));
}

TEST(Backoff, IsNotTheSameForAll) {
  std::set<milliseconds> pauses;
  for (int i = 0; i < 50; ++i) pauses.insert(Backoff(milliseconds(10'000), milliseconds(10'000)).next());
  EXPECT_GT(pauses.size(), 1U);
}

}  // namespace
}  // namespace rocket
