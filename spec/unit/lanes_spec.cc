#include "rocket/pg/lanes.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/eventually.h"

// Which lane a request gets. No lane has a database here.
namespace rocket::pg {
namespace {

class LanesSpec : public testing::Test {
 protected:
  void SetUp() override {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      ASSERT_TRUE(spec::eventually([&] { return lanes_.at(i).is_away(); }));
    }
  }

  static LaneOptions options() {
    LaneOptions options;
    options.connection.url = "postgresql:///nowhere?host=/nonexistent";
    return options;
  }

  Log log_;
  Lanes lanes_{3, options(), log_};
};

TEST_F(LanesSpec, ShareWhatIsUnderWay) {
  std::vector<Lanes::Slot> slots;
  std::map<Lane*, int> on_lane;
  for (int i = 0; i < 90; ++i) {
    slots.push_back(lanes_.enter("key " + std::to_string(i)));
    ++on_lane[&slots.back().lane()];
  }
  ASSERT_EQ(on_lane.size(), lanes_.size());
  // Not exactly 30, because hashes may collide.
  for (const auto& [lane, count] : on_lane) EXPECT_NEAR(count, 30, 3);
}

TEST_F(LanesSpec, ShareWhatHasNoKey) {
  std::vector<Lanes::Slot> slots;
  std::map<Lane*, int> on_lane;
  for (int i = 0; i < 9; ++i) {
    slots.push_back(lanes_.enter());
    ++on_lane[&slots.back().lane()];
  }
  ASSERT_EQ(on_lane.size(), lanes_.size());
  for (const auto& [lane, count] : on_lane) EXPECT_EQ(count, 3);
}

TEST_F(LanesSpec, BringDuplicatesTogether) {
  const Lanes::Slot first = lanes_.enter("the same");
  std::vector<Lanes::Slot> duplicates;
  for (int i = 0; i < 10; ++i) duplicates.push_back(lanes_.enter("the same"));
  for (const Lanes::Slot& each : duplicates) EXPECT_EQ(&each.lane(), &first.lane());
}

TEST_F(LanesSpec, GiveThePlaceOfWhoLeft) {
  std::vector<std::optional<Lanes::Slot>> slots;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    slots.emplace_back(lanes_.enter("key " + std::to_string(i)));
  for (auto& slot : slots) {
    Lane* const left = &slot->lane();
    slot.reset();
    slot.emplace(lanes_.enter("another for " + std::to_string(&slot - slots.data())));
    EXPECT_EQ(&slot->lane(), left);
  }
}

TEST_F(LanesSpec, KeepAPlaceThatMoves) {
  Lanes::Slot first = lanes_.enter("a");
  const Lanes::Slot moved = std::move(first);
  const Lanes::Slot second = lanes_.enter("b");
  const Lanes::Slot third = lanes_.enter("c");
  EXPECT_NE(&moved.lane(), &second.lane());
  EXPECT_NE(&moved.lane(), &third.lane());
  EXPECT_NE(&second.lane(), &third.lane());
}

}  // namespace
}  // namespace rocket::pg
