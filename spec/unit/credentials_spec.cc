#include "api/credentials.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

#include "rocket/endpoints/credentials.h"

// What a request may say about who asks, and what a token looks like.
namespace rocket::api {
namespace {

using endpoints::hash_of_api_token;
using endpoints::make_api_token;

HttpRequest with(const std::vector<std::string>& values) {
  HttpRequest request;
  for (const std::string& value : values) request.headers.emplace_back("authorization", value);
  return request;
}

std::string code_of(const std::vector<std::string>& values, AuthMode mode) {
  const auto credentials = read_credentials(with(values), mode);
  if (credentials) return "";
  EXPECT_EQ(credentials.error().status, 401);
  // RFC 9110, section 11.6.1.
  EXPECT_EQ(credentials.error().headers.at(0).first, "WWW-Authenticate");
  return credentials.error().code;
}

TEST(ApiToken, HasTheDocumentedForm) {
  const auto token = make_api_token();
  ASSERT_EQ(token.text.size(), 65U);
  EXPECT_EQ(token.text.substr(0, 3) + token.id + '_', token.text.substr(0, 16));
  EXPECT_EQ(token.id.size(), 12U);
  EXPECT_TRUE(std::all_of(token.text.begin(), token.text.end(),
                          [](unsigned char c) { return c < 0x80 && (std::isalnum(c) != 0 || c == '_'); }));
  EXPECT_EQ(hash_of_api_token(token.text), token.hash);
}

TEST(ApiToken, IsKnownByItsSha256) {
  // As sha256sum says it. Tokens of a database stay valid whatever version of the api reads them.
  EXPECT_EQ(hash_of_api_token("rr_000000000000_00000000000000000000000000000000000000000004AAidL"),
            "e1db5545b33347f05ec8b17fa21a7e387a638fef459adb20dd766b1a8f15bdd9");
}

TEST(ApiToken, IsNewEachTime) {
  std::set<std::string> all;
  std::set<char> digits;
  for (int i = 0; i < 1000; ++i) {
    const auto token = make_api_token();
    all.insert(token.text);
    digits.insert(token.text.begin() + 16, token.text.begin() + 59);
  }
  EXPECT_EQ(all.size(), 1000U);
  EXPECT_EQ(digits.size(), 62U);
}

// Every wrong, missing, doubled or exchanged character is noticed without asking the database.
TEST(ApiToken, IsNoTokenAnyMoreWhenMistyped) {
  const std::string token = make_api_token().text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string wrong = token;
    wrong[i] = wrong[i] == 'a' ? 'b' : 'a';
    EXPECT_EQ(hash_of_api_token(wrong), std::nullopt) << wrong;
    EXPECT_EQ(hash_of_api_token(token.substr(0, i)), std::nullopt);
    EXPECT_EQ(hash_of_api_token(token.substr(0, i) + token.substr(i + 1)), std::nullopt);
    EXPECT_EQ(hash_of_api_token(token.substr(0, i) + token[i] + token.substr(i)), std::nullopt);
    if (i > 0 && token[i] != token[i - 1]) {
      wrong = token;
      std::swap(wrong[i], wrong[i - 1]);
      EXPECT_EQ(hash_of_api_token(wrong), std::nullopt) << wrong;
    }
  }
  std::string lower = token;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string& wrong :
       {lower, token + token, token + '\n', ' ' + token, token + '\0', std::string()}) {
    EXPECT_EQ(hash_of_api_token(wrong), std::nullopt) << wrong;
  }
}

TEST(Credentials, AreATokenInEitherMode) {
  const auto token = make_api_token();
  for (const AuthMode mode : {AuthMode::kToken, AuthMode::kEmail}) {
    for (const char* scheme : {"Bearer ", "bearer ", "BEARER  ", "Bearer \t"}) {
      const auto credentials = read_credentials(with({scheme + token.text}), mode);
      ASSERT_TRUE(credentials.has_value()) << scheme;
      EXPECT_EQ(*credentials, token.hash);
    }
    for (const char* wrong : {"Bearer", "Bearer ", "Bearer rr_", "Basic dXNlcjpwYXNz", "Token abc"}) {
      EXPECT_EQ(code_of({wrong}, mode), "credentials_invalid") << wrong;
    }
    // Not the token, but what the database keeps of it.
    for (const std::string& wrong : {token.hash, "Bearer " + token.hash, token.text, token.id}) {
      EXPECT_EQ(code_of({wrong}, mode), "credentials_invalid") << wrong;
    }
    const std::string bearer = "Bearer " + token.text;
    EXPECT_EQ(code_of({bearer, bearer}, mode), "credentials_invalid");
    EXPECT_EQ(code_of({bearer + ", " + bearer}, mode), "credentials_invalid");
  }
}

TEST(Credentials, AreAnEmailAddressOnlyWhereThatIsAllowed) {
  const auto credentials = read_credentials(with({"user@example.com"}), AuthMode::kEmail);
  ASSERT_TRUE(credentials.has_value());
  EXPECT_EQ(*credentials, "user@example.com");
  EXPECT_EQ(code_of({"user@example.com"}, AuthMode::kToken), "credentials_invalid");
  EXPECT_EQ(code_of({"Bearer user@example.com"}, AuthMode::kEmail), "credentials_invalid");
}

TEST(Credentials, MayBeMissing) {
  for (const AuthMode mode : {AuthMode::kToken, AuthMode::kEmail}) {
    EXPECT_EQ(code_of({}, mode), "credentials_missing");
    EXPECT_EQ(code_of({""}, mode), "credentials_missing");
  }
}

TEST(Credentials, MayBeInvalid) {
  for (const std::string& value :
       {std::string(255, 'a') + '@', std::string("a b@example.com"), std::string("caf\xc3\xa9@example.com"),
        std::string("\xff@"), std::string("a\tb@example.com"), std::string("user")}) {
    EXPECT_EQ(code_of({value}, AuthMode::kEmail), "credentials_invalid") << value;
  }
  EXPECT_EQ(code_of({"user@example.com", "user@example.com"}, AuthMode::kEmail), "credentials_invalid");
}

}  // namespace
}  // namespace rocket::api
