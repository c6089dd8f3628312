#include "rocket/base/ids.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace rocket {
namespace {

std::uint64_t milliseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::uint64_t milliseconds_of(const std::string& id) {
  return std::stoull(id.substr(0, 8) + id.substr(9, 4), nullptr, 16);
}

bool is_variant_9562(const std::string& id) { return std::string("89ab").find(id[19]) != std::string::npos; }

TEST(RandomUuid, HasTheShapeOfVersion4) {
  for (int i = 0; i < 100; ++i) {
    const std::string id = random_uuid();
    EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_EQ(id[14], '4') << id;
    EXPECT_TRUE(is_variant_9562(id)) << id;
    EXPECT_EQ(id.find_first_of("ABCDEF"), std::string::npos) << id;
  }
}

TEST(TimeOrderedUuid, HasTheShapeOfVersion7) {
  for (int i = 0; i < 100; ++i) {
    const std::string id = time_ordered_uuid();
    EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_EQ(id[14], '7') << id;
    EXPECT_TRUE(is_variant_9562(id)) << id;
  }
}

TEST(TimeOrderedUuid, BeginsWithTheTime) {
  const auto before = milliseconds_now();
  const std::string id = time_ordered_uuid();
  const auto after = milliseconds_now();
  EXPECT_LE(before, milliseconds_of(id));
  EXPECT_GE(after, milliseconds_of(id));
}

TEST(TimeOrderedUuid, SortsByTime) {
  std::string last = time_ordered_uuid();
  for (int i = 0; i < 5; ++i) {
    const auto then = milliseconds_now();
    while (milliseconds_now() == then) {
    }
    const std::string next = time_ordered_uuid();
    EXPECT_LT(last, next);
    last = next;
  }
}

TEST(Uuids, AreUniqueAcrossThreads) {
  constexpr std::size_t kEach = 5000;
  std::mutex mutex;
  std::set<std::string> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::set<std::string> own;
      for (std::size_t i = 0; i < kEach; ++i) {
        own.insert(random_uuid());
        own.insert(time_ordered_uuid());
      }
      const std::lock_guard lock(mutex);
      all.merge(own);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(all.size(), 4 * 2 * kEach);
}

TEST(IsUuid, KnowsOneWhenItSeesOne) {
  EXPECT_TRUE(is_uuid("00000000-0000-0000-0000-000000000000"));
  EXPECT_TRUE(is_uuid("ABCDEF01-2345-6789-abcd-ef0123456789"));
  for (const char* text : {"", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000",
                           "g0000000-0000-0000-0000-000000000000", "000000000000-0000-0000-000000000000-",
                           "00000000_0000_0000_0000_000000000000", "{0000000-0000-0000-0000-00000000000}"}) {
    EXPECT_FALSE(is_uuid(text)) << text;
  }
}

}  // namespace
}  // namespace rocket
