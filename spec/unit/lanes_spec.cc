#include "pg/lanes.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spec/support/eventually.h"

// Which lane a request gets. There is no database, which is the same for all of them.
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
  std::vector<Lanes::Place> places;
  std::map<Lane*, int> on_lane;
  for (int i = 0; i < 90; ++i) {
    places.push_back(lanes_.enter("key " + std::to_string(i)));
    ++on_lane[&places.back().lane()];
  }
  ASSERT_EQ(on_lane.size(), lanes_.size());
  // Not exactly 30: hashes may meet.
  for (const auto& [lane, count] : on_lane) EXPECT_NEAR(count, 30, 3);
}

TEST_F(LanesSpec, ShareWhatHasNoKey) {
  std::vector<Lanes::Place> places;
  std::map<Lane*, int> on_lane;
  for (int i = 0; i < 9; ++i) {
    places.push_back(lanes_.enter());
    ++on_lane[&places.back().lane()];
  }
  ASSERT_EQ(on_lane.size(), lanes_.size());
  for (const auto& [lane, count] : on_lane) EXPECT_EQ(count, 3);
}

TEST_F(LanesSpec, BringDuplicatesTogether) {
  const Lanes::Place first = lanes_.enter("the same");
  std::vector<Lanes::Place> duplicates;
  for (int i = 0; i < 10; ++i) duplicates.push_back(lanes_.enter("the same"));
  for (const Lanes::Place& each : duplicates) EXPECT_EQ(&each.lane(), &first.lane());
}

TEST_F(LanesSpec, GiveThePlaceOfWhoLeft) {
  std::vector<std::optional<Lanes::Place>> places;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    places.emplace_back(lanes_.enter("key " + std::to_string(i)));
  for (auto& place : places) {
    Lane* const left = &place->lane();
    place.reset();
    place.emplace(lanes_.enter("another for " + std::to_string(&place - places.data())));
    EXPECT_EQ(&place->lane(), left);
  }
}

TEST_F(LanesSpec, KeepAPlaceThatMoves) {
  Lanes::Place first = lanes_.enter("a");
  const Lanes::Place moved = std::move(first);
  const Lanes::Place second = lanes_.enter("b");
  const Lanes::Place third = lanes_.enter("c");
  EXPECT_NE(&moved.lane(), &second.lane());
  EXPECT_NE(&moved.lane(), &third.lane());
  EXPECT_NE(&second.lane(), &third.lane());
}

}  // namespace
}  // namespace rocket::pg
