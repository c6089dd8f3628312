#include "rocket/pg/work_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

// Which unit is served next.
namespace rocket::pg {
namespace {

constexpr Statement kRide{"ride", "SELECT 1"};
constexpr Statement kDeposit{"deposit", "SELECT 2"};

class WorkQueueSpec : public testing::Test {
 protected:
  // Adds a unit whose name shows in the results. Its lock key is its name unless one is given.
  void add(const std::string& name, const Statement& statement = kRide, const std::string& lock_key = {},
           bool exclusive = false, const std::string& caller = {}) {
    Work work{{lock_key.empty() ? name : lock_key, {}, exclusive, caller},
              [this, name](std::exception_ptr, std::vector<Result>) { taken_.push_back(name); }};
    work.unit.queries.emplace_back(statement, Params{});
    queue_.add(std::move(work));
  }

  std::vector<std::string> take(std::size_t limit = 64) {
    taken_.clear();
    for (Work& work : queue_.take_batch(limit)) work.complete(nullptr, {});
    return taken_;
  }

  WorkQueue queue_;
  std::vector<std::string> taken_;
};

using Names = std::vector<std::string>;

TEST_F(WorkQueueSpec, GivesNothingWhenNothingWaits) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(take(), Names{});
}

TEST_F(WorkQueueSpec, ServesTheUnitThatHasWaitedLongestWhateverItsStatements) {
  add("ride 1");
  add("deposit 1", kDeposit);
  add("ride 2");
  EXPECT_EQ(take(), (Names{"ride 1", "ride 2"}));
  add("ride 3");
  EXPECT_EQ(take(), Names{"deposit 1"});
  EXPECT_EQ(take(), Names{"ride 3"});
  EXPECT_TRUE(queue_.empty());
}

TEST_F(WorkQueueSpec, LeavesWhatIsBeyondTheLimitAtItsPlace) {
  for (int i = 1; i <= 3; ++i) add("ride " + std::to_string(i));
  add("deposit 1", kDeposit);
  EXPECT_EQ(take(2), (Names{"ride 1", "ride 2"}));
  EXPECT_EQ(take(2), Names{"ride 3"});
  EXPECT_EQ(take(2), Names{"deposit 1"});
}

TEST_F(WorkQueueSpec, RepeatsOfOneKeyNeverMoveInFrontOfOthers) {
  for (int i = 1; i <= 3; ++i) add("repeat " + std::to_string(i), kRide, "the same");
  add("deposit 1", kDeposit);
  EXPECT_EQ(take(), Names{"repeat 1"});
  EXPECT_EQ(take(), Names{"deposit 1"});
  EXPECT_EQ(take(), Names{"repeat 2"});
  add("deposit 2", kDeposit);
  EXPECT_EQ(take(), Names{"repeat 3"});
  EXPECT_EQ(take(), Names{"deposit 2"});
  EXPECT_TRUE(queue_.empty());
}

TEST_F(WorkQueueSpec, AThousandRepeatsHavePlaceForOne) {
  for (int i = 0; i < 1000; ++i) add("repeat", kRide, "the same");
  add("deposit 1", kDeposit);
  EXPECT_EQ(take(), Names{"repeat"});
  EXPECT_EQ(take(), Names{"deposit 1"});
}

TEST_F(WorkQueueSpec, RepeatsOfAKeyWithOtherStatementsWaitForItToo) {
  add("ride 1", kRide, "the same");
  add("deposit 1", kDeposit, "the same");
  EXPECT_EQ(take(), Names{"ride 1"});
  EXPECT_EQ(take(), Names{"deposit 1"});
}

TEST_F(WorkQueueSpec, UnitsWithoutALockKeyShareABatch) {
  for (int i = 0; i < 2; ++i) {
    Work work{{}, [this](std::exception_ptr, std::vector<Result>) { taken_.emplace_back("query"); }};
    work.unit.queries.emplace_back(kRide, Params{});
    queue_.add(std::move(work));
  }
  EXPECT_EQ(take(), (Names{"query", "query"}));
}

TEST_F(WorkQueueSpec, ExclusiveUnitsComeOneByOneInTheirTurn) {
  add("cancel 1", kRide, {}, true);
  add("cancel 2", kRide, {}, true);
  add("ride 1");
  EXPECT_EQ(take(), Names{"cancel 1"});
  EXPECT_EQ(take(), Names{"cancel 2"});
  EXPECT_EQ(take(), Names{"ride 1"});
}

TEST_F(WorkQueueSpec, ACallerWithManyUnitsDoesNotHoldUpTheOthers) {
  for (int i = 0; i < 500; ++i) add("crowd " + std::to_string(i), kRide, {}, false, "crowd");
  EXPECT_EQ(take().size(), 64U);
  add("single", kRide, {}, false, "single");
  const Names next = take();
  ASSERT_EQ(next.size(), 64U);
  EXPECT_EQ(std::count(next.begin(), next.end(), "single"), 1);
}

TEST_F(WorkQueueSpec, ACallersManyUnitsDoNotHoldUpOtherStatements) {
  for (int i = 0; i < 500; ++i) add("crowd " + std::to_string(i), kRide, {}, false, "crowd");
  take();
  add("single", kDeposit, {}, false, "single");
  EXPECT_EQ(take(), Names{"single"});
}

TEST_F(WorkQueueSpec, ACallerWhoIsAloneFillsItsBatches) {
  for (int i = 0; i < 128; ++i) add("crowd " + std::to_string(i), kRide, {}, false, "crowd");
  EXPECT_EQ(take().size(), 64U);
  EXPECT_EQ(take().size(), 64U);
}

// It does not matter how many others come.
TEST_F(WorkQueueSpec, ACallersLastUnitIsServedInTheEnd) {
  for (int i = 0; i < 100; ++i) add("crowd " + std::to_string(i), kRide, {}, false, "crowd");
  int batches = 0;
  for (bool served = false; !served; ++batches) {
    ASSERT_LT(batches, 100);
    for (int i = 0; i < 64; ++i) {
      const std::string name = "other " + std::to_string(batches * 64 + i);
      add(name, kRide, {}, false, name);
    }
    const Names batch = take();
    served = std::count(batch.begin(), batch.end(), "crowd 99") > 0;
  }
}

// A caller that was alone for a long time is not held back when others come.
TEST_F(WorkQueueSpec, PastBatchesOfACallerAreForgotten) {
  for (int i = 0; i < 10'000; ++i) add("crowd " + std::to_string(i), kRide, {}, false, "crowd");
  for (int i = 0; i < 100; ++i) take();
  for (int batches = 0; batches < 10; ++batches) {
    for (int i = 0; i < 48; ++i) {
      const std::string name = "other " + std::to_string(batches * 48 + i);
      add(name, kRide, {}, false, name);
    }
    const Names batch = take();
    const auto crowd =
        std::count_if(batch.begin(), batch.end(), [](const auto& each) { return each.starts_with("crowd"); });
    EXPECT_TRUE(batches == 0 || crowd > 0) << "batch " << batches;
  }
}

TEST_F(WorkQueueSpec, TakesAllThatWaitsAndBeginsAnew) {
  for (int i = 0; i < 3; ++i) add("repeat", kRide, "the same");
  add("deposit 1", kDeposit);
  EXPECT_EQ(queue_.take_all().size(), 4U);
  EXPECT_TRUE(queue_.empty());
  add("ride 1", kRide, "the same");
  EXPECT_EQ(take(), Names{"ride 1"});
}

}  // namespace
}  // namespace rocket::pg
