#include "rocket/base/host.h"

#include <gtest/gtest.h>

namespace rocket {
namespace {

TEST(Host, IsThisMachineOrAnother) {
  for (const char* here : {"localhost", "127.0.0.1", "127.9.8.7", "::1", "[::1]", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(is_loopback(here)) << here;
  }
  for (const char* elsewhere :
       {"", "[", "[]", "localhost.example.com", "127.example.com", "127.0.0.1.example.com", "128.0.0.1",
        "10.0.0.1", "0.0.0.0", "::", "::2", "fe80::1", "127"}) {
    EXPECT_FALSE(is_loopback(elsewhere)) << elsewhere;
  }
}

TEST(Host, StandsInBracketsInAUrlWhereItHasColons) {
  EXPECT_EQ(url_host("::1"), "[::1]");
  EXPECT_EQ(url_host("[::1]"), "[::1]");
  EXPECT_EQ(url_host("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(url_host("example.com"), "example.com");
}

}  // namespace
}  // namespace rocket
