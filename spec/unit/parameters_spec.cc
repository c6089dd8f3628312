#include "api/parameters.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "rocket/endpoints/all.h"
#include "rocket/payments/mock_gateway.h"
#include "spec/unit/request_bodies.h"

// What parameters may be, and in which form they are stored. request_bodies_spec.cc has the bodies around
// them.
namespace rocket::api {
namespace {

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

TEST(Parameters, RefusesJsonNumbersBeyondADouble) {
  const auto parsed = Parameters::parse(json("{\"lat\":1e999}"));
  if (!parsed) {
    EXPECT_EQ(parsed.error().code, "body_malformed");
  } else {
    EXPECT_EQ(latitude(json("{\"lat\":1e999}")), "422 parameter_invalid");
  }
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
