#include "api/preferences.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

// The preference of a client to wait (RFC 7240).
namespace rocket::api {
namespace {

// In seconds; 0 if there is no such preference.
long wait_of(const std::vector<std::string>& fields) {
  HttpRequest request;
  request.headers.emplace_back("host", "localhost");
  for (const std::string& field : fields) request.headers.emplace_back("prefer", field);
  const auto wait = read_wait_preference(request);
  EXPECT_TRUE(!wait || wait->count() > 0);
  return wait ? wait->count() : 0;
}

TEST(WaitPreference, IsANumberOfSeconds) {
  EXPECT_EQ(wait_of({"wait=10"}), 10);
  EXPECT_EQ(wait_of({"WAIT=1"}), 1);
  EXPECT_EQ(wait_of({"wait = 5"}), 5);
  EXPECT_EQ(wait_of({" wait\t=\t5 "}), 5);
  EXPECT_EQ(wait_of({"wait=007"}), 7);
  EXPECT_EQ(wait_of({"wait=\"12\""}), 12);
  EXPECT_EQ(wait_of({"wait=\"1\\2\""}), 12);
}

TEST(WaitPreference, IsThirtySecondsAtMost) {
  EXPECT_EQ(wait_of({"wait=30"}), 30);
  EXPECT_EQ(wait_of({"wait=31"}), 30);
  EXPECT_EQ(wait_of({"wait=2147483648"}), 30);
  EXPECT_EQ(wait_of({"wait=" + std::string(5000, '9')}), 30);
}

TEST(WaitPreference, IsNoneIfItCannotBeUnderstood) {
  for (const char* field : {"",
                            ",",
                            "wait",
                            "wait=",
                            "wait=\"\"",
                            "wait=0",
                            "wait=000",
                            "wait=-5",
                            "wait=+5",
                            "wait=5.5",
                            "wait=5s",
                            "wait=soon",
                            "wait=\"5",
                            "wait=\"5\\",
                            "wait=0x5",
                            "wait=5 6",
                            "wait 5",
                            "wait:5",
                            "=5",
                            "waits=5",
                            "await=5",
                            "respond-async",
                            "wait=\" 5\"",
                            "foo=\"wait=5\"",
                            "foo; wait=5",
                            "foo=\"a, wait=5\"",
                            "wait==5",
                            "\"wait\"=5",
                            "wait=5\"",
                            "wait=5;=",
                            "wait=5;a=\"b"}) {
    EXPECT_EQ(wait_of({field}), 0) << field;
  }
  EXPECT_EQ(wait_of({}), 0);
}

TEST(WaitPreference, StandsAmongOthers) {
  EXPECT_EQ(wait_of({"respond-async, wait=5"}), 5);
  EXPECT_EQ(wait_of({"return=minimal,wait=5,handling=lenient"}), 5);
  EXPECT_EQ(wait_of({",, ,wait=5"}), 5);
  EXPECT_EQ(wait_of({"respond-async", "wait=5"}), 5);
  EXPECT_EQ(wait_of({"foo=\"a, \\\" b\"; bar, wait=5"}), 5);
  EXPECT_EQ(wait_of({"wait=5; foo=bar; baz"}), 5);
  EXPECT_EQ(wait_of({"wait=5;"}), 5);
  EXPECT_EQ(wait_of({"wait=5 ; ; foo = \"b;a,r\", bar"}), 5);
}

TEST(WaitPreference, IsTheFirstOfSeveral) {
  EXPECT_EQ(wait_of({"wait=5, wait=9"}), 5);
  EXPECT_EQ(wait_of({"wait=5", "wait=9"}), 5);
  EXPECT_EQ(wait_of({"Wait=\"5\"", "wait=9"}), 5);
  EXPECT_EQ(wait_of({"wait=soon, wait=9"}), 0);
  EXPECT_EQ(wait_of({"wait=0", "wait=9"}), 0);
}

TEST(WaitPreference, SurvivesMalformedNeighbours) {
  EXPECT_EQ(wait_of({"(), wait=5"}), 5);
  EXPECT_EQ(wait_of({"a b, wait=5"}), 5);
  EXPECT_EQ(wait_of({"a=b \"c, d\" e, wait=5"}), 5);
  EXPECT_EQ(wait_of({"a=\"b, wait=5", "wait=6"}), 6);
}

}  // namespace
}  // namespace rocket::api
