#include "api/parameters.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "endpoints/all.h"
#include "payments/mock_gateway.h"

namespace rocket::api {
namespace {

using namespace std::string_literals;

HttpRequest request(const std::string& type, const std::string& body) {
  HttpRequest request;
  if (!type.empty()) request.headers.emplace_back("content-type", type);
  request.body = body;
  return request;
}
HttpRequest form(const std::string& body) { return request("application/x-www-form-urlencoded", body); }
HttpRequest json(const std::string& body) { return request("application/json", body); }

// Returns "200", or the failure's status and code.
template <typename T>
std::string verdict(const Expected<T>& result) {
  return result ? "200" : std::to_string(result.error().status) + " " + result.error().code;
}

std::string parse(const HttpRequest& request) { return verdict(Parameters::parse(request)); }

Parameters parameters(const HttpRequest& request) {
  auto parsed = Parameters::parse(request);
  if (!parsed) throw std::runtime_error("not parsed: " + request.body);
  return std::move(*parsed);
}

using Read = Expected<nlohmann::ordered_json>;

Read read(const HttpRequest& request, const endpoints::Parameter& parameter) {
  return parameters(request).read({parameter});
}
Read read_latitude(const HttpRequest& request, const std::string& name = "lat") {
  return read(request, {name, endpoints::Decimal{-90, 90}});
}
Read read_amount(const HttpRequest& request) {
  return read(request, {"amount", endpoints::Integer{1, 100'000}});
}
Read read_ride(const HttpRequest& request) {
  payments::MockGateway gateway{{}};
  return parameters(request).read(endpoints::rides(gateway, {}).parameters);
}
std::string latitude(const HttpRequest& request) { return verdict(read_latitude(request)); }
std::string amount(const HttpRequest& request) { return verdict(read_amount(request)); }
// The values in the form in which the key stores them.
std::string stored(const Read& read) { return read.value().dump(); }

TEST(Parameters, FormAndJsonMeanTheSame) {
  const auto from_form = read_ride(form("origin_lat=1&origin_lon=-2.50&target_lat=3e1&target_lon=%34"));
  const auto from_json =
      read_ride(json(R"({"target_lon":4,"target_lat":30,"origin_lon":-2.5,"origin_lat":1.0})"));
  ASSERT_EQ(verdict(from_form), "200");
  ASSERT_EQ(verdict(from_json), "200");
  EXPECT_EQ(stored(from_form), stored(from_json));
}

class DecimalSpec : public testing::TestWithParam<std::pair<const char*, double>> {};

TEST_P(DecimalSpec, IsTaken) {
  const Read value = read_latitude(form(std::string("lat=") + GetParam().first));
  ASSERT_EQ(verdict(value), "200");
  EXPECT_DOUBLE_EQ(value->at("lat").get<double>(), GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(Parameters, DecimalSpec,
                         testing::Values(std::pair("0", 0.0), std::pair("-12.5", -12.5),
                                         std::pair("007", 7.0), std::pair(".5", 0.5), std::pair("5.", 5.0),
                                         std::pair("1e1", 10.0), std::pair("1E-2", 0.01),
                                         std::pair("90", 90.0), std::pair("-90.0", -90.0)));

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

class NoDecimalSpec : public testing::TestWithParam<const char*> {};

TEST_P(NoDecimalSpec, IsRefused) {
  EXPECT_EQ(latitude(form(std::string("lat=") + GetParam())), "422 parameter_invalid");
}

INSTANTIATE_TEST_SUITE_P(
    Parameters, NoDecimalSpec,
    testing::Values("", "0x1A", "0X1p3", "1_0", "1,5", "nan", "NaN", "-nan", "inf", "Infinity", "-inf",
                    "1e999", "-1e999", "1e", "e1", ".", "-", "--1", "%2B1", "+1", "1+", "1 ", "%201", "1.2.3",
                    "1f", "0b1", "ten", "90.0001", "-90.0001", "1e2",
                    "%D9%A1",  // ARABIC-INDIC DIGIT ONE
                    "00000000000000000000000000000000000000000000000000000000000000001"));

class NoJsonDecimalSpec : public testing::TestWithParam<const char*> {};

TEST_P(NoJsonDecimalSpec, IsRefused) {
  EXPECT_EQ(latitude(json(std::string("{\"lat\":") + GetParam() + "}")), "422 parameter_invalid");
}

INSTANTIATE_TEST_SUITE_P(Parameters, NoJsonDecimalSpec,
                         testing::Values("\"1\"", "null", "true", "[]", "[1]", "{}", "90.1", "-91",
                                         "18446744073709551615"));

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

TEST(Parameters, RefusesJsonNumbersBeyondADouble) {
  const auto parsed = Parameters::parse(json("{\"lat\":1e999}"));
  if (!parsed) {
    EXPECT_EQ(parsed.error().code, "body_malformed");
  } else {
    EXPECT_EQ(latitude(json("{\"lat\":1e999}")), "422 parameter_invalid");
  }
}

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

TEST(Parameters, SaysWhichOneIsMissing) {
  const auto result = read_latitude(form(""), "origin_lat");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(verdict(result), "422 parameter_missing");
  EXPECT_NE(result.error().error.find("origin_lat"), std::string::npos);
}

TEST(Parameters, SaysWhichOneIsInvalidAndWhy) {
  const auto result = read_latitude(form("origin_lat=north"), "origin_lat");
  ASSERT_FALSE(result.has_value());
  const std::string& error = result.error().error;
  EXPECT_NE(error.find("origin_lat"), std::string::npos);
  EXPECT_NE(error.find("-90"), std::string::npos);
}

TEST(Parameters, NoBodyAtAllHasNoParameters) {
  for (const char* type : {"", "application/json", "application/x-www-form-urlencoded", "text/plain"}) {
    ASSERT_EQ(parse(request(type, "")), "200") << type;
    EXPECT_EQ(latitude(request(type, "")), "422 parameter_missing") << type;
    EXPECT_EQ(amount(request(type, "")), "422 parameter_missing") << type;
    EXPECT_EQ(verdict(parameters(request(type, "")).flag("raise_error")), "200") << type;
  }
}

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

TEST(Parameters, TakesWholeDollars) {
  EXPECT_EQ(amount(form("amount=1")), "200");
  EXPECT_EQ(amount(form("amount=100000")), "200");
  // In JSON Schema, an integer is any number without a fraction.
  for (const char* text : {"100000", "20.0", "2e1", "2E+1", "1e5", "200e-1", "1.5e1"}) {
    EXPECT_EQ(amount(json(std::string("{\"amount\":") + text + "}")), "200") << text;
  }
  EXPECT_EQ(stored(read_amount(json("{\"amount\":2e1}"))), R"({"amount":20})");
  for (const char* text : {"0", "-1", "100001", "1.0", "1e2", "0x10", "1_0", "", "%2B5", "+5", "ten", "1,000",
                           "9223372036854775808", "99999999999999999999999"}) {
    EXPECT_EQ(amount(form(std::string("amount=") + text)), "422 parameter_invalid") << text;
  }
  for (const char* text : {"0", "0.0", "-1", "-1.0", "100001", "100001.0", "1.5", "1e300", "-1e300", "5e-1",
                           "\"5\"", "null", "true", "18446744073709551615", "9223372036854775808", "[5]"}) {
    EXPECT_EQ(amount(json(std::string("{\"amount\":") + text + "}")), "422 parameter_invalid") << text;
  }
}

TEST(Parameters, RaiseErrorIsASwitch) {
  const auto flag = [](const HttpRequest& request) { return parameters(request).flag("raise_error"); };
  EXPECT_FALSE(flag(form("")).value());
  EXPECT_TRUE(flag(form("raise_error=true")).value());
  EXPECT_FALSE(flag(form("raise_error=false")).value());
  EXPECT_TRUE(flag(json("{\"raise_error\":true}")).value());
  for (const char* text : {"", "maybe", "1", "TRUE"}) {
    EXPECT_EQ(verdict(flag(form(std::string("raise_error=") + text))), "422 parameter_invalid") << text;
  }
  EXPECT_EQ(verdict(flag(json("{\"raise_error\":\"true\"}"))), "422 parameter_invalid");
  EXPECT_EQ(verdict(flag(json("{\"raise_error\":1}"))), "422 parameter_invalid");
}

TEST(Parameters, TakesTextByItsLengthInCharacters) {
  const endpoints::Parameter note{"note", endpoints::Text{1, 3}};
  for (const char* body : {"a", "a b", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80"}) {
    EXPECT_EQ(stored(read(json(std::string("{\"note\":\"") + body + "\"}"), note)),
              std::string("{\"note\":\"") + body + "\"}");
  }
  EXPECT_EQ(stored(read(form("note=a%20b"), note)), R"({"note":"a b"})");
  for (const char* body : {"\"\"", "\"abcd\"", "\"\\u0000\"", "1", "null", "[\"a\"]"}) {
    EXPECT_EQ(verdict(read(json(std::string("{\"note\":") + body + "}"), note)), "422 parameter_invalid")
        << body;
  }
}

TEST(Parameters, MayBeLeftOutWhereTheyAreNotRequired) {
  const endpoints::Parameter note{"note", endpoints::Text{1, 3}, false};
  EXPECT_EQ(stored(read(json("{}"), note)), "{}");
  EXPECT_EQ(stored(read(json(R"({"note":"a"})"), note)), R"({"note":"a"})");
  EXPECT_EQ(verdict(read(json(R"({"note":""})"), note)), "422 parameter_invalid");
}

TEST(Parameters, HoldNothingThatNobodyReads) {
  EXPECT_EQ(stored(read_amount(form("colour=red&amount=1&raise_error=true"))), R"({"amount":1})");
}

TEST(Ride, NeedsEachCoordinate) {
  const std::vector<std::string> names{"origin_lat", "origin_lon", "target_lat", "target_lon"};
  for (const auto& left_out : names) {
    std::string body;
    for (const auto& name : names) {
      if (name != left_out) body.append(name).append("=1&");
    }
    const auto result = read_ride(form(body));
    EXPECT_EQ(verdict(result), "422 parameter_missing");
    EXPECT_NE(result.error().error.find(left_out), std::string::npos);
  }
}

TEST(Ride, KnowsLatitudesFromLongitudes) {
  EXPECT_EQ(verdict(read_ride(form("origin_lat=90&origin_lon=180&target_lat=-90&target_lon=-180"))), "200");
  for (const char* wrong : {"origin_lat=91&origin_lon=1&target_lat=1&target_lon=1",
                            "origin_lat=1&origin_lon=1&target_lat=-91&target_lon=1",
                            "origin_lat=1&origin_lon=180.1&target_lat=1&target_lon=1",
                            "origin_lat=1&origin_lon=1&target_lat=1&target_lon=-181"}) {
    EXPECT_EQ(verdict(read_ride(form(wrong))), "422 parameter_invalid") << wrong;
  }
}

}  // namespace
}  // namespace rocket::api
