#include "api/security_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

// Refusals are told at once when they are new, then once a minute, however many there are.
namespace rocket::api {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class SecurityLogSpec : public testing::Test {
 protected:
  SecurityLogSpec() {
    testing::internal::CaptureStdout();
    log_.emplace("api", LogOptions{});
    security_.emplace(*log_, [this] { return now_; });
  }
  ~SecurityLogSpec() override {
    if (log_) finish();
  }
  // Everything that was logged.
  std::string finish() {
    security_.reset();
    log_.reset();
    return testing::internal::GetCapturedStdout();
  }
  void note(int times, const std::string& from = "192.0.2.1", const std::string& user = "") {
    for (int i = 0; i < times; ++i) security_->note({"credentials_invalid", user, from});
  }

  std::chrono::steady_clock::time_point now_{};
  std::optional<Log> log_;
  std::optional<SecurityLog> security_;
};

std::ptrdiff_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST_F(SecurityLogSpec, SaysWhoWasRefusedWhatFromWhere) {
  note(1, "192.0.2.1", "7");
  note(1);
  const std::string told = finish();
  EXPECT_THAT(told, HasSubstr("refused user 7 from 192.0.2.1: credentials_invalid, 1 times"));
  EXPECT_THAT(told, HasSubstr("refused 192.0.2.1: credentials_invalid, 1 times"));
}

TEST_F(SecurityLogSpec, CountsWhatHappensAgain) {
  note(1001);
  now_ += seconds(59);
  note(1);
  now_ += seconds(2);
  note(1);
  now_ += seconds(61);
  note(5, "192.0.2.2");
  const std::string told = finish();
  EXPECT_THAT(told, HasSubstr("1001 times")) << "after a minute: all but the first";
  EXPECT_THAT(told, HasSubstr("refused 192.0.2.2: credentials_invalid, 4 times")) << "at the end";
  EXPECT_EQ(lines(told), 5) << told;
}

// Health checks come to any api, so time passes also when nobody is refused.
TEST_F(SecurityLogSpec, TellsTheRestThoughNothingElseHappens) {
  note(10);
  now_ += seconds(61);
  security_->pass_time(now_);
  security_.reset();
  log_.reset();
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("9 times"));
}

TEST_F(SecurityLogSpec, ForgetsWhatDoesNotHappenAgain) {
  note(1);
  now_ += seconds(61);
  note(1, "192.0.2.2");
  note(1);
  EXPECT_EQ(lines(finish()), 3);
}

TEST_F(SecurityLogSpec, IsNoLongerThanItMustBe) {
  for (int i = 0; i < 5000; ++i) note(1, "10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256));
  const std::string told = finish();
  EXPECT_EQ(lines(told), 1002) << "a thousand addresses, and all others twice";
  EXPECT_THAT(told, HasSubstr("refused others: credentials_invalid, 3999 times"));
}

}  // namespace
}  // namespace rocket::api
