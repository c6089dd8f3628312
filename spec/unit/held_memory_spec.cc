#include "api/held_memory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>

namespace rocket::api {
namespace {

constexpr std::size_t kAllowed = 100'000;

class HeldMemorySpec : public testing::Test {
 protected:
  struct Client {
    ConnectionId id;
    HeldMemory::Share share{};
  };

  void hold(Client& client, std::size_t bytes, bool can_be_given_up = true) {
    memory_.change(client.id, client.share, {bytes, can_be_given_up});
  }
  // The serial of the connection to give up; 0 if there is none.
  std::uint64_t given_up() const {
    const auto connection = memory_.to_give_up();
    return connection ? connection->serial : 0;
  }

  std::atomic<std::size_t> total_{0};
  HeldMemory memory_{total_, kAllowed};
  Client first_{{10, 1}};
  Client second_{{11, 2}};
  Client third_{{12, 3}};
};

TEST_F(HeldMemorySpec, GivesUpNobodyWhileThereIsRoom) {
  hold(first_, 50'000);
  hold(second_, 50'000);
  EXPECT_EQ(given_up(), 0U);
}

TEST_F(HeldMemorySpec, GivesUpTheLargest) {
  hold(first_, 30'000);
  hold(second_, 60'000);
  hold(third_, 20'000);
  EXPECT_EQ(given_up(), 2U);
  hold(second_, 0);
  EXPECT_EQ(given_up(), 0U);
  EXPECT_EQ(total_, 50'000U);
}

TEST_F(HeldMemorySpec, GivesUpTheNewestOfTheLargest) {
  hold(third_, 50'000);
  hold(first_, 50'000);
  hold(second_, 50'000);
  EXPECT_EQ(given_up(), 3U);
}

TEST_F(HeldMemorySpec, CountsWhatCannotBeGivenUp) {
  hold(first_, 90'000, false);
  hold(second_, 20'000);
  EXPECT_EQ(given_up(), 2U);
  hold(second_, 20'000, false);
  EXPECT_EQ(given_up(), 0U);
}

TEST_F(HeldMemorySpec, LeavesSmallOnesAlone) {
  hold(first_, 200'000, false);
  hold(second_, HeldMemory::kLarge - 1);
  EXPECT_EQ(given_up(), 0U);
  hold(second_, HeldMemory::kLarge);
  EXPECT_EQ(given_up(), 2U);
}

TEST_F(HeldMemorySpec, CountsTheOtherThreads) {
  HeldMemory other(total_, kAllowed);
  Client elsewhere{{13, 1}};
  other.change(elsewhere.id, elsewhere.share, {90'000, true});
  hold(first_, 20'000);
  EXPECT_EQ(given_up(), 1U);
}

}  // namespace
}  // namespace rocket::api
