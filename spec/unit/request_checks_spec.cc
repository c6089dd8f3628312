#include "api/request_checks.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "rocket/base/ids.h"

namespace rocket::api {
namespace {

HttpRequest with(const std::string& name, const std::string& value) {
  HttpRequest request;
  request.headers.emplace_back(name, value);
  return request;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

TEST(IdempotencyKey, HasTwentyTo255Characters) {
  EXPECT_EQ(normalize_idempotency_key(std::string(19, 'k')), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key(std::string(20, 'k')), std::string(20, 'k'));
  EXPECT_EQ(normalize_idempotency_key(std::string(255, 'k')), std::string(255, 'k'));
  EXPECT_EQ(normalize_idempotency_key(std::string(256, 'k')), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key(""), std::nullopt);
}

TEST(IdempotencyKey, QuotedIsTheSameAsUnquoted) {
  EXPECT_EQ(normalize_idempotency_key(quoted(std::string(20, 'k'))), std::string(20, 'k'));
  // The quotes do not count as characters of the key.
  EXPECT_EQ(normalize_idempotency_key(quoted(std::string(255, 'k'))), std::string(255, 'k'));
  EXPECT_EQ(normalize_idempotency_key(quoted(std::string(19, 'k'))), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key(quoted(std::string(256, 'k'))), std::nullopt);
}

// RFC 8941, section 4.2.5.
TEST(IdempotencyKey, UndoesEscapesOfAQuotedString) {
  EXPECT_EQ(normalize_idempotency_key(R"("a\"b\\c--------------------")"), R"(a"b\c--------------------)");
  EXPECT_EQ(normalize_idempotency_key(R"("a\nb--------------------")"), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key(R"("a"b--------------------")"), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key(R"("ab---------------------)"), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key(R"("ab--------------------\")"), std::nullopt);
  EXPECT_EQ(normalize_idempotency_key("\""), std::nullopt);
}

TEST(IdempotencyKey, IsPrintableAscii) {
  const std::string rest(20, 'k');
  EXPECT_EQ(normalize_idempotency_key("a b~!" + rest), "a b~!" + rest);
  for (const char* bad : {"\x7f", "\t", "\n", "\x01", "\xc3\xa9", "\xff"}) {
    EXPECT_EQ(normalize_idempotency_key(bad + rest), std::nullopt);
    EXPECT_EQ(normalize_idempotency_key(quoted(bad + rest)), std::nullopt);
  }
  EXPECT_EQ(normalize_idempotency_key(std::string(1, '\0') + rest), std::nullopt);
}

TEST(IdempotencyKey, MayBeAbsent) {
  const auto read = read_idempotency_key({});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, std::nullopt);
}

TEST(IdempotencyKey, MustNotBeRepeated) {
  HttpRequest request = with("idempotency-key", std::string(20, 'k'));
  EXPECT_TRUE(read_idempotency_key(request).has_value());
  request.headers.emplace_back("idempotency-key", std::string(20, 'k'));
  const auto read = read_idempotency_key(request);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().status, 400);
  EXPECT_EQ(read.error().code, "idempotency_key_invalid");
}

TEST(IdempotencyKey, EmptyIsInvalidRatherThanAbsent) {
  const auto read = read_idempotency_key(with("idempotency-key", ""));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, "idempotency_key_invalid");
}

TEST(RequestId, IsTheCallersWhenSane) {
  for (const std::string& sane :
       {std::string("abc-123"), std::string("a_b.c:d/e+f="), std::string(128, 'x')}) {
    EXPECT_EQ(request_id_of(with("x-request-id", sane)), sane);
  }
}

TEST(RequestId, IsANewOneOtherwise) {
  for (const std::string& odd :
       {std::string(""), std::string(129, 'x'), std::string("a b"), std::string("a\"b"), std::string("a\nb"),
        std::string("caf\xc3\xa9"), std::string("<script>"), std::string("a;b"), std::string("a%b")}) {
    const std::string id = request_id_of(with("x-request-id", odd));
    EXPECT_NE(id, odd);
    EXPECT_TRUE(is_uuid(id)) << id;
  }
  HttpRequest twice = with("x-request-id", "one");
  twice.headers.emplace_back("x-request-id", "two");
  EXPECT_TRUE(is_uuid(request_id_of(twice)));
  EXPECT_TRUE(is_uuid(request_id_of({})));
  EXPECT_NE(request_id_of({}), request_id_of({}));
}

TEST(Id, IsANumberAsItIsUsuallyWritten) {
  EXPECT_TRUE(is_id("1"));
  EXPECT_TRUE(is_id("10"));
  EXPECT_TRUE(is_id(std::string(18, '9')));
  for (const char* other :
       {"", "0", "01", "00", "+1", "-1", " 1", "1 ", "1.0", "1e2", "0x1", "9999999999999999999"}) {
    EXPECT_FALSE(is_id(other)) << other;
  }
}

}  // namespace
}  // namespace rocket::api
