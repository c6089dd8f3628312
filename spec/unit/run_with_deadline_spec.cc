#include "rocket/base/run_with_deadline.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>

namespace rocket {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(RunWithDeadline, SaysWhatTheWorkSays) {
  const auto deadline = steady_clock::now() + seconds(30);
  EXPECT_EQ(run_with_deadline([] { return std::string("found"); }, deadline), "found");
  EXPECT_THROW(run_with_deadline([]() -> int { throw std::logic_error("lost"); }, deadline),
               std::logic_error);
}

TEST(RunWithDeadline, DoesNotWaitForWorkThatIsLate) {
  // This work hangs like a look-up while the name servers are silent.
  std::promise<void> end;
  const auto begin = steady_clock::now();
  const auto stuck = [ended = end.get_future().share()] {
    ended.wait_for(seconds(30));
    return 0;
  };
  EXPECT_THROW(run_with_deadline(stuck, begin + milliseconds(20)), std::runtime_error);
  EXPECT_LT(steady_clock::now() - begin, seconds(15));
  end.set_value();
}

}  // namespace
}  // namespace rocket
