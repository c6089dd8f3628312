#include "spec/support/time_limits.h"

#include <gtest/gtest.h>

#include <sstream>

namespace rocket::spec {
namespace {

constexpr int kTries = 3;

bool is_in_time(const Felt& felt) {
  return felt.slowest_answer < kMinSlowness * std::chrono::seconds(2) &&
         felt.until_served < kMinSlowness * std::chrono::seconds(1);
}

}  // namespace

void expect_in_time(const std::function<Felt()>& outage, int at_least) {
  bool in_time = false;
  std::ostringstream all;
  for (int tries = 0; tries < at_least || (!in_time && tries < kTries); ++tries) {
    const Felt felt = outage();
    EXPECT_LT(felt.slowest_answer.count(), kAnswersWithin.count());
    EXPECT_LT(felt.until_served.count(), kServesWithin.count());
    in_time = in_time || is_in_time(felt);
    all << "\nslowest answer " << felt.slowest_answer.count() << " ms, served after "
        << felt.until_served.count() << " ms";
  }
  EXPECT_TRUE(in_time) << "never in time:" << all.str();
}

}  // namespace rocket::spec
