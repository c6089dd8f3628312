#include "api/allowed_hosts.h"

#include <gtest/gtest.h>

#include <string>

namespace rocket::api {
namespace {

bool allows(const AllowedHosts& hosts, const std::string& host) {
  HttpRequest request;
  request.headers = {{"host", host}};
  return hosts.allow(request);
}

TEST(AllowedHosts, AreThoseOfThisMachineByThemselves) {
  const AllowedHosts hosts;
  for (const char* host : {"localhost", "localhost:5000", "LocalHost:80", "localhost.",
                           "localhost:", "127.0.0.1", "127.0.0.1:5000", "[::1]", "[::1]:5000"}) {
    EXPECT_TRUE(allows(hosts, host)) << host;
  }
  for (const char* host :
       {"", "evil.example", "evil.example:5000", "localhost.evil.example", "localhost@evil.example",
        "evil.example#localhost", "127.0.0.1.evil.example", "localhost:5000:5000", "localhost:x", "10.0.0.7",
        "[::2]", "localhost, evil.example", "localhost/"}) {
    EXPECT_FALSE(allows(hosts, host)) << host;
  }
}

TEST(AllowedHosts, MayHaveOtherNamesToo) {
  const auto hosts = AllowedHosts::parse(
      "api.example.com, API2.example.com,10.0.0.7, 2001:db8::1 ,[2001:DB8:0::2], dot.example.com.");
  ASSERT_TRUE(hosts);
  for (const char* host : {"api.example.com", "api.example.com:443", "API.Example.Com", "api2.example.com",
                           "10.0.0.7:80", "[2001:db8::1]", "[2001:db8::2]:443", "[2001:db8:0:0::2]",
                           "dot.example.com", "dot.example.com.:80", "localhost"}) {
    EXPECT_TRUE(allows(*hosts, host)) << host;
  }
  for (const char* host : {"example.com", "x.api.example.com", "api.example.com.evil.example", "10.0.0.8"}) {
    EXPECT_FALSE(allows(*hosts, host)) << host;
  }
}

TEST(AllowedHosts, MayBeAll) {
  const auto hosts = AllowedHosts::parse("*");
  ASSERT_TRUE(hosts);
  EXPECT_TRUE(allows(*hosts, "anything.example"));
}

TEST(AllowedHosts, AreNoUrls) {
  for (const char* wrong :
       {"https://api.example.com", "api.example.com/x", "a b", "*.example.com", "a,,b", "api.example.com:443",
        "[", "[x]", ".", ".example.com", "[::1]:80", "ex\xc3\xa4mple.com"}) {
    EXPECT_FALSE(AllowedHosts::parse(wrong)) << wrong;
  }
}

// HTTP/1.0 has requests without Host. A browser never sends such a one.
TEST(AllowedHosts, NeedNotBeNamed) { EXPECT_TRUE(AllowedHosts().allow(HttpRequest())); }

}  // namespace
}  // namespace rocket::api
