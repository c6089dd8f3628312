#include "api/caller_counts.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <string>

#include "api/keyed_hash.h"

namespace rocket::api {
namespace {

using std::chrono::seconds;

// The vectors of the paper (appendix A) and of its reference implementation.
TEST(KeyedHash, IsSipHash) {
  const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string text(15, '\0');
  std::iota(text.begin(), text.end(), '\0');
  EXPECT_EQ(keyed_hash(key, text), 0xa129ca6149be45e5);
  EXPECT_EQ(keyed_hash(key, ""), 0x726fdb47dd0e0e31);
  EXPECT_EQ(keyed_hash(key, std::string_view(text).substr(0, 8)), 0x93f5f5799a932462);
}

TEST(KeyedHash, HasAnotherKeyInEachTable) { EXPECT_NE(random_hash_key(), random_hash_key()); }

class CallerTableSpec : public testing::Test {
 protected:
  CallerCounts* find(const std::string& caller) { return table_.find(table_.id_of(caller)); }
  // Takes this many tokens for the caller.
  void count(const std::string& caller, int times) {
    CallerCounts& counts = table_.find_or_add(table_.id_of(caller));
    for (int i = 0; i < times; ++i) counts[Limit::kFailedCredentials].take(rate_, now_);
  }
  std::int64_t left(const std::string& caller) {
    CallerCounts* counts = find(caller);
    return counts == nullptr ? rate_.capacity : (*counts)[Limit::kFailedCredentials].left(rate_, now_);
  }

  const TokenRate rate_ = TokenRate::of(60, std::chrono::minutes(1), 60);
  CallerTable table_{64};
  TokenBucket::Time now_{seconds(1000)};
};

TEST_F(CallerTableSpec, CountsEachCallerApart) {
  count("one", 3);
  count("two", 1);
  EXPECT_EQ(left("one"), 57);
  EXPECT_EQ(left("two"), 59);
  EXPECT_EQ(find("three"), nullptr);
}

TEST_F(CallerTableSpec, ACrowdOfNewCallersPushesOutNobodyWithMoreCounts) {
  count("bad", 60);
  for (int i = 0; i < 100'000; ++i) count("crowd " + std::to_string(i), 59);
  EXPECT_EQ(left("bad"), 0);
  // What is remembered of the crowd has its limit too.
  int remembered = 0;
  for (int i = 0; i < 100'000; ++i) remembered += find("crowd " + std::to_string(i)) != nullptr ? 1 : 0;
  EXPECT_LE(remembered, 63);
}

TEST_F(CallerTableSpec, ForgetsFirstWhatMakesNoDifference) {
  for (int i = 0; i < 1000; ++i) count("early " + std::to_string(i), 60);
  now_ += seconds(61);
  std::set<std::string> late;
  // Fewer than the places of one set, so that all fit wherever they belong.
  for (int i = 0; i < 8; ++i) late.insert("late " + std::to_string(i));
  for (const std::string& each : late) count(each, 1);
  for (const std::string& each : late) EXPECT_EQ(left(each), 59) << each;
}

TEST_F(CallerTableSpec, KeepsWhoHasChargesUnderWay) {
  table_.find_or_add(table_.id_of("charging")).charges = 1;
  for (int i = 0; i < 1000; ++i) count("other " + std::to_string(i), 60);
  ASSERT_NE(find("charging"), nullptr);
  EXPECT_EQ(find("charging")->charges, 1U);
}

}  // namespace
}  // namespace rocket::api
