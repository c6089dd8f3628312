#include "rocket/base/traceparent.h"

#include <gtest/gtest.h>

#include <string>

#include "rocket/base/request_ids.h"

namespace rocket {
namespace {

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kReceived = std::string("00-") + kTrace + "-00f067aa0ba902b7-01";

TEST(Traceparent, GoesOnWithTheSameTraceAndAnIdOfOurOwn) {
  const auto sent = continued_traceparent(kReceived);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->substr(0, 36), kReceived.substr(0, 36));
  EXPECT_EQ(sent->substr(52), "-01");
  EXPECT_EQ(sent->size(), kReceived.size());
  EXPECT_NE(sent->substr(36, 16), kReceived.substr(36, 16));
  EXPECT_EQ(sent->substr(36, 16).find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(*continued_traceparent(kReceived), *sent) << "each operation has an id of its own";
  EXPECT_EQ(trace_id_of(*sent), kTrace);
  EXPECT_TRUE(continued_traceparent(*sent)) << "what we send can be received";
}

TEST(Traceparent, SendsTheFlagsThatWeKnow) {
  const auto flags = [](const std::string& received) {
    const auto sent = continued_traceparent(kReceived.substr(0, 53) + received);
    return sent ? sent->substr(53) : "none";
  };
  EXPECT_EQ(flags("00"), "00");
  EXPECT_EQ(flags("02"), "02");
  EXPECT_EQ(flags("03"), "03");
  EXPECT_EQ(flags("ff"), "03");
  EXPECT_EQ(flags("f4"), "00");
}

TEST(Traceparent, OfANewerVersionIsReadAsFarAsOursGoes) {
  const std::string rest = kReceived.substr(2);
  for (const std::string& newer : {"01" + rest, "cc" + rest + "-what-the-future-brings", "fe" + rest + "-"}) {
    const auto sent = continued_traceparent(newer);
    ASSERT_TRUE(sent) << newer;
    EXPECT_EQ(sent->size(), 55U);
    EXPECT_EQ(sent->substr(0, 36), kReceived.substr(0, 36)) << "we send the version that we know";
  }
}

TEST(Traceparent, ThatIsNotValidCountsAsNone) {
  const std::string rest = kReceived.substr(2);
  const std::string zeros(32, '0');
  std::string upper = kReceived;
  upper[5] = 'F';
  for (const std::string& odd : {std::string(),
                                 std::string("00"),
                                 kReceived + "-",
                                 kReceived + "-00",
                                 kReceived + " ",
                                 " " + kReceived,
                                 kReceived.substr(0, 54),
                                 "ff" + rest,
                                 "0g" + rest,
                                 "01" + rest + "x",
                                 "01" + rest + "00",
                                 "0" + rest,
                                 upper,
                                 "00-" + zeros + "-00f067aa0ba902b7-01",
                                 std::string("00-") + kTrace + "-0000000000000000-01",
                                 std::string("00-") + kTrace + "-00f067aa0ba902b7-0G",
                                 std::string("00-") + kTrace + "_00f067aa0ba902b7-01",
                                 std::string("00_") + kTrace + "-00f067aa0ba902b7-01",
                                 std::string("00-") + kTrace + "-00f067aa0ba902b7_01",
                                 std::string("00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01"),
                                 kReceived + "," + kReceived,
                                 std::string(100'000, 'a')}) {
    EXPECT_FALSE(continued_traceparent(odd)) << odd.substr(0, 200);
  }
}

TEST(RequestIds, HaveFieldsForWhatIsKnown) {
  RequestIds ids;
  EXPECT_EQ(ids.trace_id(), "");
  EXPECT_EQ(ids.trace_field().name, "");
  ids.traceparent = kReceived;
  EXPECT_EQ(ids.trace_field().name, "trace_id");
  EXPECT_EQ(ids.trace_field().value, kTrace);
  EXPECT_EQ(ids.request_field().name, "");
  ids.request_id = "r";
  EXPECT_EQ(ids.request_field().name, "request_id");
}

}  // namespace
}  // namespace rocket
