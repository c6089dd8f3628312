#include "spec/unit/request_bodies.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/http_text.h"
#include "api/parameters.h"

// Which bodies are read for parameters: their types, their encodings, broken ones and large ones.
namespace rocket::api {
namespace {

using namespace std::string_literals;

TEST(Parameters, TakesOnlyTwoTypes) {
  EXPECT_EQ(parse(request("application/json; charset=utf-8", "{}")), "200");
  EXPECT_EQ(parse(request("Application/JSON", "{}")), "200");
  EXPECT_EQ(parse(request("application/x-www-form-urlencoded ; charset=utf-8", "a=1")), "200");
  for (const char* type :
       {"text/plain", "application/jsonx", "application/problem+json", "multipart/form-data", "json"}) {
    EXPECT_EQ(parse(request(type, "{}")), "415 body_type_unsupported") << type;
  }
  EXPECT_EQ(parse(request("", "{}")), "415 body_type_unsupported");
}

TEST(Parameters, RefusesTwoTypesAtOnce) {
  HttpRequest twice = json("{}");
  twice.headers.emplace_back("content-type", "application/json");
  EXPECT_EQ(parse(twice), "415 body_type_unsupported");
}

TEST(Parameters, AreNotUnpacked) {
  const auto encoded = [](std::vector<std::string> codings, const std::string& body = "a=b") {
    HttpRequest request = form(body);
    for (auto& coding : codings) request.headers.emplace_back("content-encoding", std::move(coding));
    return parse(request);
  };
  EXPECT_EQ(encoded({"gzip"}), "415 body_encoding_unsupported");
  EXPECT_EQ(encoded({"identity, br"}), "415 body_encoding_unsupported");
  EXPECT_EQ(encoded({"identity", "gzip"}), "415 body_encoding_unsupported");
  EXPECT_EQ(encoded({"Identity"}), "200");
  EXPECT_EQ(encoded({"gzip"}, ""), "200");
  EXPECT_EQ(encoded({}), "200");
}

class NoJsonSpec : public testing::TestWithParam<std::string> {};

TEST_P(NoJsonSpec, IsMalformed) { EXPECT_EQ(parse(json(GetParam())), "400 body_malformed"); }

INSTANTIATE_TEST_SUITE_P(Parameters, NoJsonSpec,
                         testing::Values("{", "{}x", "{}{}", "{}\0"s, "{}\0{}"s, "{\"lat\":1}\0{\"lat\":2}"s,
                                         "{}\n\0\n"s, "\0{}"s, "\0"s, " ", "[]", "1", "null", "\"text\"",
                                         "{\"lat\":NaN}", "{\"lat\":Infinity}", "{\"lat\":0x1A}",
                                         "{\"lat\":1_0}", "{\"lat\":01}", "{'lat':1}", "{\"lat\":1,}",
                                         "{\"lat\":\"\xff\"}", "{\"\xc0\xaf\":1}", "{\"lat\":\"\\ud800\"}",
                                         "{\"lat\":\"\0\"}"s, "{\"lat\":1,\"lat\":1}",
                                         "{\"lat\":1,\"l\\u0061t\":2}"));

TEST(Parameters, SurvivesDeepJson) {
  constexpr std::size_t kDepth = 30'000;
  const std::string deep = std::string(kDepth, '[') + std::string(kDepth, ']');
  EXPECT_EQ(parse(json(deep)), "400 body_malformed");
  EXPECT_EQ(parse(json("{\"lat\":" + deep + "}")), "400 body_malformed");
  EXPECT_EQ(parse(json(std::string(60'000, '['))), "400 body_malformed");
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(parse(json(objects)), "400 body_malformed");
}

TEST(Parameters, BoundsWhatAStrangersBodyCosts) {
  const auto nested = [](std::size_t depth) {
    return R"({"lat":1,"note":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(parse(json(nested(15))), "200");
  EXPECT_EQ(parse(json(nested(16))), "400 body_malformed");
  EXPECT_EQ(parse(json(R"({"note":"\"[[[[[[[[[[[[[[[[[[[[\\"})")), "200");
  std::string fields = "lat=1";
  std::string members = R"({"lat":1)";
  for (int i = 1; i < 256; ++i) {
    fields += "&n" + std::to_string(i);
    if (i < 255) members += ",\"n" + std::to_string(i) + "\":1";
  }
  EXPECT_EQ(parse(form(fields)), "200");
  EXPECT_EQ(parse(form(fields + "&more")), "400 body_malformed");
  EXPECT_EQ(parse(json(members + "}")), "200");
  EXPECT_EQ(parse(json(members + R"(,"more":1})")), "400 body_malformed");
}

TEST(Parameters, RepeatedNamesOfNestedObjectsAreNotOurs) {
  EXPECT_EQ(parse(json(R"({"note":{"a":1,"a":2},"lat":1})")), "200");
}

class NoFormSpec : public testing::TestWithParam<std::string> {};

TEST_P(NoFormSpec, IsMalformed) { EXPECT_EQ(parse(form(GetParam())), "400 body_malformed"); }

INSTANTIATE_TEST_SUITE_P(Parameters, NoFormSpec,
                         testing::Values("lat=%", "lat=%4", "lat=%zz", "lat=%4g", "%=1", "lat=%ff",
                                         "lat=\xff", "lat=%C0%AF", "lat=%ED%A0%80", "%ff=1", "lat=1%00",
                                         "lat%00=1", "lat=1\0"s, "lat=1&lat=1", "lat=1&l%61t=2", "lat&lat"));

TEST(Parameters, DecodesForms) {
  EXPECT_EQ(percent_decode("a+b%20c%2Bd", true), "a b c+d");
  EXPECT_EQ(percent_decode("a+b%20c", false), "a+b c");
  EXPECT_EQ(percent_decode("%e2%82%AC", false), "\xe2\x82\xac");
  EXPECT_EQ(percent_decode("%2", true), std::nullopt);
}

}  // namespace
}  // namespace rocket::api
