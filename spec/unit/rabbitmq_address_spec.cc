#include "rocket/jobs/rabbitmq_address.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

namespace rocket::jobs {
namespace {

RabbitMqAddress read(const std::string& url) {
  const auto result = rabbitmq_address_of(url);
  if (const auto* mistake = std::get_if<UrlMistake>(&result)) {
    ADD_FAILURE() << url << " " << mistake->reason;
    return {};
  }
  return std::get<RabbitMqAddress>(result);
}

TEST(RabbitMqAddress, HasTheUsualPortUserAndVirtualHostUnlessToldOtherwise) {
  for (const char* url : {"amqp://queue.example.com", "amqp://queue.example.com/"}) {
    const RabbitMqAddress address = read(url);
    EXPECT_EQ(address.server.host, "queue.example.com");
    EXPECT_EQ(address.server.port, 5672);
    EXPECT_FALSE(address.server.tls);
    EXPECT_EQ(address.server.user, "guest");
    EXPECT_EQ(address.server.password, "guest");
    EXPECT_EQ(address.virtual_host, "/");
  }
  EXPECT_EQ(read("amqps://queue.example.com").server.port, 5671);
}

TEST(RabbitMqAddress, TakesAndDecodesEachPartOfTheUrl) {
  const RabbitMqAddress address = read("amqps://r%40des:p%3A%2F%25+@[::1]:7000/a%2Fb");
  EXPECT_TRUE(address.server.tls);
  EXPECT_EQ(address.server.user, "r@des");
  EXPECT_EQ(address.server.password, "p:/%+");
  EXPECT_EQ(address.server.host, "::1");
  EXPECT_EQ(address.server.port, 7000);
  EXPECT_EQ(address.virtual_host, "a/b");
}

TEST(RabbitMqAddress, KeepsAVirtualHostOfDots) { EXPECT_EQ(read("amqp://localhost/..").virtual_host, ".."); }

TEST(RabbitMqAddress, ShowsNoUserAndNoPassword) {
  EXPECT_EQ(read("amqp://rides:sesame@localhost/%2Fa").shown(), "amqp://localhost:5672/%2Fa");
}

TEST(RabbitMqAddress, RefusesWhatItCannotReadAndRepeatsNothingOfIt) {
  for (const std::string& url :
       {std::string("amqp"), std::string("amqp:localhost"), std::string("amqp://"),
        std::string("amqp:///sesame"), std::string("amqp://:sesame@localhost"),
        std::string("amqp://sesame@localhost"), std::string("amqp://rides:sesame@localhost:0"),
        std::string("amqp://rides:sesame@localhost/a/b"), std::string("amqp://rides:sesame@localhost/a%00b"),
        std::string("amqp://rides:sesame%@localhost"), std::string("amqp://rides:ses%00ame@localhost"),
        std::string("amqp://rides:sesame@localhost/?heartbeat=1"),
        "amqp://localhost/" + std::string(256, 'x')}) {
    const auto result = rabbitmq_address_of(url);
    const auto* mistake = std::get_if<UrlMistake>(&result);
    ASSERT_NE(mistake, nullptr) << url;
    EXPECT_EQ(mistake->reason.find("sesame"), std::string::npos) << mistake->reason;
    EXPECT_EQ(mistake->reason.find("localhost"), std::string::npos) << mistake->reason;
  }
}

}  // namespace
}  // namespace rocket::jobs
