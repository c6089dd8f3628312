#include "api/cors.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rocket::api {
namespace {

HttpRequest request_of(const std::string& method, const std::vector<std::string>& origins) {
  HttpRequest request;
  request.method = method;
  for (const std::string& origin : origins) request.headers.emplace_back("origin", origin);
  return request;
}

std::string field(const HttpResponse& response, const std::string& name) {
  for (const auto& [each, value] : response.headers) {
    if (each == name) return value;
  }
  return "";
}

// The value of Access-Control-Allow-Origin for a request with these origins.
std::string allowed(const CorsPolicy& policy, const std::vector<std::string>& origins) {
  HttpResponse response;
  policy.add_to(response, request_of("GET", origins));
  return field(response, "Access-Control-Allow-Origin");
}

TEST(Cors, AllowsNobodyByDefault) {
  const CorsPolicy policy;
  EXPECT_TRUE(policy.allows_nobody());
  HttpResponse response;
  policy.add_to(response, request_of("GET", {"https://a.example"}));
  EXPECT_TRUE(response.headers.empty());
  EXPECT_TRUE(CorsPolicy::parse("")->allows_nobody());
}

TEST(Cors, AllowsJustWhoIsNamed) {
  const auto policy = CorsPolicy::parse("https://a.example , http://[::1]:3000");
  ASSERT_TRUE(policy);
  EXPECT_EQ(allowed(*policy, {"https://a.example"}), "https://a.example");
  EXPECT_EQ(allowed(*policy, {"http://[::1]:3000"}), "http://[::1]:3000");
  for (const char* other : {"http://a.example", "https://a.example:8443", "https://a.example.evil.example",
                            "https://b.a.example", "null", ""}) {
    EXPECT_EQ(allowed(*policy, {other}), "") << other;
  }
  EXPECT_EQ(allowed(*policy, {}), "");
  EXPECT_EQ(allowed(*policy, {"https://a.example", "https://evil.example"}), "");
}

TEST(Cors, TellsMethodsAndFieldsToWhoAsksFirst) {
  const auto policy = CorsPolicy::parse("https://a.example");
  HttpResponse plain;
  plain.headers.emplace_back("Allow", "POST, OPTIONS");
  HttpResponse asked = plain;
  HttpRequest request = request_of("OPTIONS", {"https://a.example"});
  policy->add_to(plain, request);
  EXPECT_EQ(field(plain, "Access-Control-Allow-Methods"), "");
  request.headers.emplace_back("access-control-request-method", "POST");
  policy->add_to(asked, request);
  EXPECT_EQ(field(asked, "Access-Control-Allow-Methods"), "POST, OPTIONS");
  for (const char* name : {"Authorization", "Prefer", "Traceparent"}) {
    EXPECT_NE(field(asked, "Access-Control-Allow-Headers").find(name), std::string::npos) << name;
  }
  EXPECT_NE(field(asked, "Access-Control-Expose-Headers").find("Preference-Applied"), std::string::npos);
  EXPECT_NE(field(asked, "Access-Control-Max-Age"), "");
}

TEST(Cors, IsForOriginsAsBrowsersWriteThem) {
  for (const char* mistake :
       {"*", "null", "a.example", "https://", "://a.example", "https://a.example/", "https://A.example",
        "https://a.example,,https://b.example", "https://a b", "https://a.example\r\n"}) {
    EXPECT_FALSE(CorsPolicy::parse(mistake)) << mistake;
  }
  EXPECT_TRUE(CorsPolicy::parse("capacitor://localhost"));
}

}  // namespace
}  // namespace rocket::api
