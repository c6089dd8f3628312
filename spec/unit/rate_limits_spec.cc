#include "api/rate_limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/limit_refusals.h"

namespace rocket::api {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using Excess = RateLimits::Excess;
using Charge = RateLimits::Charge;

const std::string kUser = "7";
const std::string kOther = "8";
const std::string kAddress = address_holder("192.0.2.1");
constexpr Usage kNewKey{.is_new_key = true};
constexpr Usage kLeftKey{.is_new_key = true, .is_unfinished = true};
constexpr Usage kDecline{.is_new_key = true, .is_decline = true};

class RateLimitsSpec : public testing::Test {
 protected:
  static RateLimitOptions options() {
    return {.requests_per_s = 2,
            .request_burst = 3,
            .failed_credentials_per_min = 2,
            .declines_per_h = 2,
            .unfinished_keys_per_h = 2,
            .keys_per_day = 4};
  }
  bool may_charge(RateLimits& limits, const std::string& caller = kUser) {
    Charge charge;
    return !limits.begin_charge(caller, charge);
  }

  static void expect(const std::optional<Excess>& excess, Limit limit, std::chrono::seconds retry_after) {
    ASSERT_TRUE(excess);
    ASSERT_TRUE(excess->limit);
    EXPECT_EQ(static_cast<int>(*excess->limit), static_cast<int>(limit));
    EXPECT_EQ(excess->retry_after, retry_after);
  }

  TokenBucket::Time now_{seconds(100'000)};
  RateLimits limits_{options(), [this] { return now_; }};
};

TEST_F(RateLimitsSpec, LetsABurstInAndThenTheRate) {
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limits_.enter(kUser, false)) << i;
  expect(limits_.enter(kUser, false), Limit::kRequests, seconds(1));
  now_ += milliseconds(500);
  EXPECT_FALSE(limits_.enter(kUser, false));
  EXPECT_TRUE(limits_.enter(kUser, false));
  now_ += seconds(10);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(limits_.enter(kUser, false)) << i;
  EXPECT_TRUE(limits_.enter(kUser, false));
}

TEST_F(RateLimitsSpec, ARefusedRequestIsNotCounted) {
  for (int i = 0; i < 1000; ++i) limits_.enter(kUser, false);
  now_ += milliseconds(500);
  EXPECT_FALSE(limits_.enter(kUser, false));
}

TEST_F(RateLimitsSpec, EachCallerHasTheirOwnLimits) {
  for (int i = 0; i < 4; ++i) limits_.enter(kUser, false);
  EXPECT_FALSE(limits_.enter(kOther, false));
  EXPECT_FALSE(limits_.enter(kAddress, false));
  // A user whose id looks like an address is not that address.
  for (int i = 0; i < 4; ++i) limits_.enter("192.0.2.1", false);
  EXPECT_FALSE(limits_.enter(kAddress, false));
}

TEST_F(RateLimitsSpec, NobodyTriesCredentialsWhereManyWereWrong) {
  EXPECT_FALSE(limits_.enter(kAddress, true));
  limits_.count_failed_credentials(kAddress);
  EXPECT_FALSE(limits_.enter(kAddress, true));
  limits_.count_failed_credentials(kAddress);
  expect(limits_.enter(kAddress, true), Limit::kFailedCredentials, seconds(30));
  // Without credentials nothing is tried. And a user is known by now.
  EXPECT_FALSE(limits_.enter(kAddress, false));
  EXPECT_FALSE(limits_.enter(kUser, false));
  now_ += seconds(30);
  EXPECT_FALSE(limits_.enter(kAddress, true));
}

TEST_F(RateLimitsSpec, WhatWasUnderWayIsCountedToo) {
  for (int i = 0; i < 4; ++i) limits_.count_failed_credentials(kAddress);
  expect(limits_.enter(kAddress, true), Limit::kFailedCredentials, seconds(90));
}

TEST_F(RateLimitsSpec, NobodyChargesAfterManyDeclines) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(may_charge(limits_)) << i;
    limits_.count(kUser, kDecline);
  }
  Charge charge;
  expect(limits_.begin_charge(kUser, charge), Limit::kDeclines, minutes(30));
  EXPECT_TRUE(may_charge(limits_, kOther));
  EXPECT_FALSE(limits_.find_excess_of_keys(kUser));
  now_ += minutes(30);
  EXPECT_TRUE(may_charge(limits_));
}

TEST_F(RateLimitsSpec, ANewChargeTakesThePlaceOfAnEarlierOne) {
  Charge charge;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limits_.begin_charge(kUser, charge));
  EXPECT_TRUE(may_charge(limits_));
}

TEST_F(RateLimitsSpec, NoMoreChargesAreUnderWayThanMayBeDeclined) {
  {
    std::vector<Charge> charges(2);
    for (Charge& each : charges) EXPECT_FALSE(limits_.begin_charge(kUser, each));
    Charge surplus;
    const auto excess = limits_.begin_charge(kUser, surplus);
    ASSERT_TRUE(excess);
    EXPECT_FALSE(excess->limit);
    EXPECT_EQ(excess->retry_after, seconds(1));
    EXPECT_TRUE(may_charge(limits_, kOther));
  }
  EXPECT_TRUE(may_charge(limits_));
  limits_.count(kUser, kDecline);
  Charge last;
  EXPECT_FALSE(limits_.begin_charge(kUser, last));
  EXPECT_FALSE(may_charge(limits_));
}

TEST_F(RateLimitsSpec, NobodyMakesKeysWhoLeftManyUnfinished) {
  limits_.count(kUser, kLeftKey);
  limits_.count(kUser, kNewKey);
  EXPECT_FALSE(limits_.find_excess_of_keys(kUser));
  limits_.count(kUser, kLeftKey);
  expect(limits_.find_excess_of_keys(kUser), Limit::kUnfinishedKeys, minutes(30));
  EXPECT_TRUE(may_charge(limits_));
  EXPECT_FALSE(limits_.find_excess_of_keys(kOther));
}

TEST_F(RateLimitsSpec, NobodyMakesMoreKeysThanADayHas) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(limits_.find_excess_of_keys(kUser)) << i;
    limits_.count(kUser, kNewKey);
  }
  expect(limits_.find_excess_of_keys(kUser), Limit::kKeys, hours(6));
}

TEST_F(RateLimitsSpec, WhatMakesNoKeyCountsAsNone) {
  for (int i = 0; i < 100; ++i) limits_.count(kUser, {});
  // An attempt at an old key leaves no new one.
  for (int i = 0; i < 100; ++i) limits_.count(kUser, {.is_unfinished = true});
  EXPECT_FALSE(limits_.find_excess_of_keys(kUser));
}

TEST_F(RateLimitsSpec, ZeroMeansNoLimit) {
  RateLimits none({.requests_per_s = 0,
                   .failed_credentials_per_min = 0,
                   .declines_per_h = 0,
                   .unfinished_keys_per_h = 0,
                   .keys_per_day = 0},
                  [this] { return now_; });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_FALSE(none.enter(kAddress, true));
    none.count_failed_credentials(kAddress);
    none.count(kAddress, kDecline);
    none.count(kAddress, kLeftKey);
    ASSERT_FALSE(none.find_excess_of_keys(kAddress));
    ASSERT_TRUE(may_charge(none, kAddress));
  }
}

TEST_F(RateLimitsSpec, CountsForManyThreads) {
  RateLimits limits({.requests_per_s = 1, .request_burst = 1000}, [this] { return now_; });
  std::vector<std::thread> threads;
  std::vector<int> entered(4);
  for (int& mine : entered) {
    threads.emplace_back([&limits, &mine] {
      for (int i = 0; i < 1000; ++i) mine += limits.enter(kUser, false) ? 0 : 1;
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(entered[0] + entered[1] + entered[2] + entered[3], 1000);
}

class LimitRefusalsSpec : public RateLimitsSpec {
 protected:
  static std::string field(const HttpResponse& response, const std::string& name) {
    for (const auto& [each, value] : response.headers) {
      if (each == name) return value;
    }
    return "none";
  }
  const LimitRefusals refusals_{limits_};
};

TEST_F(LimitRefusalsSpec, TellWhenToComeAgainAndWhatTheLimitIs) {
  const HttpResponse keys = refusals_.render({Limit::kKeys, hours(6)}, false);
  EXPECT_EQ(keys.status, 429);
  EXPECT_NE(keys.body.find(R"("code":"too_many_keys")"), std::string::npos) << keys.body;
  EXPECT_EQ(field(keys, "Retry-After"), "21600");
  EXPECT_EQ(field(keys, "RateLimit"), R"("keys";r=0;t=21600)");
  EXPECT_EQ(field(keys, "RateLimit-Policy"), R"("keys";q=4;w=86400)");
}

// Three requests at two a second: a second and a half, and the field has whole seconds.
TEST_F(LimitRefusalsSpec, RoundUpTheWindow) {
  const HttpResponse requests = refusals_.render({Limit::kRequests, seconds(1)}, true);
  EXPECT_EQ(requests.content_type, "application/problem+json");
  EXPECT_EQ(field(requests, "RateLimit-Policy"), R"("requests";q=3;w=2)");
}

TEST_F(LimitRefusalsSpec, HaveACodeForEachLimit) {
  const auto code = [&](Limit limit) {
    const std::string body = refusals_.render({limit, seconds(1)}, false).body;
    const auto start = body.find(R"("code":")") + 8;
    return body.substr(start, body.find('"', start) - start);
  };
  EXPECT_EQ(code(Limit::kRequests), "rate_limited");
  EXPECT_EQ(code(Limit::kFailedCredentials), "too_many_failed_credentials");
  EXPECT_EQ(code(Limit::kDeclines), "too_many_declines");
  EXPECT_EQ(code(Limit::kUnfinishedKeys), "too_many_unfinished_keys");
  EXPECT_EQ(code(Limit::kKeys), "too_many_keys");
  const HttpResponse crowd = refusals_.render({}, false);
  EXPECT_NE(crowd.body.find("too_many_requests"), std::string::npos);
  EXPECT_EQ(field(crowd, "Retry-After"), "1");
  EXPECT_EQ(field(crowd, "RateLimit"), "none");
}

}  // namespace
}  // namespace rocket::api
