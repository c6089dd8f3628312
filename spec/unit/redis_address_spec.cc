#include "rocket/jobs/redis_address.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace rocket::jobs {
namespace {

RedisAddress read(const std::string& url) {
  const auto result = redis_address_of(url);
  if (const auto* mistake = std::get_if<UrlMistake>(&result)) {
    ADD_FAILURE() << url << " " << mistake->reason;
    return {};
  }
  return std::get<RedisAddress>(result);
}

TEST(RedisAddress, HasTheUsualPortAndDatabaseUnlessToldOtherwise) {
  const RedisAddress address = read("redis://queue.example.com");
  EXPECT_EQ(address.server.host, "queue.example.com");
  EXPECT_EQ(address.server.port, 6379);
  EXPECT_EQ(address.database, 0);
  EXPECT_FALSE(address.server.tls);
  EXPECT_EQ(address.server.user, "");
  EXPECT_EQ(address.server.password, "");
}

TEST(RedisAddress, TakesEachPartOfTheUrl) {
  const RedisAddress address = read("rediss://rides:sesame@queue.example.com:6380/3");
  EXPECT_TRUE(address.server.tls);
  EXPECT_EQ(address.server.user, "rides");
  EXPECT_EQ(address.server.password, "sesame");
  EXPECT_EQ(address.server.host, "queue.example.com");
  EXPECT_EQ(address.server.port, 6380);
  EXPECT_EQ(address.database, 3);
}

TEST(RedisAddress, KnowsAPasswordWithoutUser) {
  const RedisAddress address = read("redis://:sesame@localhost/");
  EXPECT_EQ(address.server.user, "");
  EXPECT_EQ(address.server.password, "sesame");
  EXPECT_EQ(address.database, 0);
}

TEST(RedisAddress, DecodesUserAndPassword) {
  const RedisAddress address = read("redis://r%C3%ADdes:p%40%3A%2F%25%20%2B+@localhost");
  EXPECT_EQ(address.server.user,
            "r\xc3\xad"
            "des");
  EXPECT_EQ(address.server.password, "p@:/% ++");
}

TEST(RedisAddress, TakesIpv6InBrackets) {
  const RedisAddress address = read("redis://[::1]:7000/1");
  EXPECT_EQ(address.server.host, "::1");
  EXPECT_EQ(address.server.port, 7000);
  EXPECT_EQ(address.shown(), "redis://[::1]:7000/1");
}

TEST(RedisAddress, ShowsNoPassword) {
  EXPECT_EQ(read("rediss://rides:sesame@localhost").shown(), "rediss://localhost:6379/0");
}

TEST(RedisAddress, RefusesWhatItCannotReadAndRepeatsNothingOfIt) {
  for (const char* url : {"",
                          "redis",
                          "http://:sesame@localhost",
                          "REDIS:localhost",
                          "redis://",
                          "redis:///2",
                          "redis://:sesame@",
                          "redis://:sesame@localhost:0",
                          "redis://:sesame@localhost:65536",
                          "redis://:sesame@localhost:x",
                          "redis://:sesame@localhost/x",
                          "redis://:sesame@localhost/-1",
                          "redis://:sesame@localhost/1/2",
                          "redis://:sesame@localhost/99999999999",
                          "redis://:sesame@localhost/1?ssl=true",
                          "redis://:sesame@localhost/1#x",
                          "redis://:ses/ame@localhost",
                          "redis://:sesame%@localhost",
                          "redis://:sesame%zz@localhost",
                          "redis://:sesame%00@localhost",
                          "redis://sesame@localhost",
                          "redis://sesame:@localhost",
                          "redis://:sesame@local host",
                          "redis://:sesame@[::zz]"}) {
    const auto result = redis_address_of(url);
    const auto* mistake = std::get_if<UrlMistake>(&result);
    ASSERT_NE(mistake, nullptr) << url;
    EXPECT_EQ(mistake->reason.find("sesame"), std::string::npos) << mistake->reason;
    EXPECT_EQ(mistake->reason.find("localhost"), std::string::npos) << mistake->reason;
  }
}

}  // namespace
}  // namespace rocket::jobs
