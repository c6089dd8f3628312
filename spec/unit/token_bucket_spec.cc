#include "api/token_bucket.h"

#include <gtest/gtest.h>

namespace rocket::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TokenBucketSpec : public testing::Test {
 protected:
  std::int64_t left() const { return bucket_.left(rate_, now_); }
  bool has_token() const { return bucket_.wait(rate_, now_).count() == 0; }

  // Two a second, five at once.
  const TokenRate rate_ = TokenRate::of(2, seconds(1), 5);
  TokenBucket bucket_;
  TokenBucket::Time now_{seconds(1000)};
};

TEST_F(TokenBucketSpec, IsFullAtFirst) {
  EXPECT_EQ(left(), 5);
  EXPECT_TRUE(has_token());
}

TEST_F(TokenBucketSpec, HasATokenUntilAllAreTaken) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(has_token()) << i;
    bucket_.take(rate_, now_);
  }
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(bucket_.wait(rate_, now_), milliseconds(500));
}

TEST_F(TokenBucketSpec, GetsItsTokensBackOneByOne) {
  for (int i = 0; i < 5; ++i) bucket_.take(rate_, now_);
  now_ += milliseconds(499);
  EXPECT_FALSE(has_token());
  EXPECT_EQ(bucket_.wait(rate_, now_), milliseconds(1));
  now_ += milliseconds(1);
  EXPECT_EQ(left(), 1);
  EXPECT_TRUE(has_token());
  now_ += seconds(2);
  EXPECT_EQ(left(), 5);
  now_ += seconds(100);
  EXPECT_EQ(left(), 5);
}

TEST_F(TokenBucketSpec, PaysItsDebtFirst) {
  for (int i = 0; i < 7; ++i) bucket_.take(rate_, now_);
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(bucket_.wait(rate_, now_), milliseconds(1500));
}

TEST_F(TokenBucketSpec, HasNoDebtWithoutEnd) {
  for (int i = 0; i < 100'000; ++i) bucket_.take(rate_, now_);
  EXPECT_LE(bucket_.wait(rate_, now_), TokenBucket::kMaxFills * rate_.to_fill());
  now_ += TokenBucket::kMaxFills * rate_.to_fill();
  EXPECT_EQ(left(), 5);
}

}  // namespace
}  // namespace rocket::api
