#include "rocket/base/text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>

namespace rocket {
namespace {

TEST(Text, IsANumberOnlyAsAWhole) {
  EXPECT_EQ(number_of<int>("-12"), -12);
  EXPECT_EQ(number_of<double>("1.5e3"), 1500);
  EXPECT_EQ(number_of<std::uint16_t>("65535"), 65535);
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "1_0", "1.0", "9999999999", "one"}) {
    EXPECT_EQ(number_of<int>(text), std::nullopt) << text;
  }
  EXPECT_EQ(number_of<std::uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(number_of<std::uint16_t>("-1"), std::nullopt);
}

TEST(Text, HasTheLettersOfAsciiOnly) {
  EXPECT_EQ(lower_case("Content-Length Ä@[`{"), "content-length Ä@[`{");
  EXPECT_TRUE(equal_ignoring_case("GZip", "gzIP"));
  EXPECT_FALSE(equal_ignoring_case("gzip", "gzip2"));
  EXPECT_FALSE(equal_ignoring_case("[", "{"));
}

TEST(Text, HasHexadecimalDigits) {
  EXPECT_EQ(hex_value('0'), 0);
  EXPECT_EQ(hex_value('9'), 9);
  EXPECT_EQ(hex_value('a'), 10);
  EXPECT_EQ(hex_value('F'), 15);
  for (const char none : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xff'})
    EXPECT_EQ(hex_value(none), std::nullopt);
}

TEST(Text, CanBeStoredWhateverItIs) {
  EXPECT_EQ(storable("caf\xc3\xa9 \"1\" \n"), "caf\xc3\xa9 \"1\" \n");
  EXPECT_EQ(storable("caf\xc3"), "caf\xef\xbf\xbd");
  EXPECT_EQ(storable(std::string_view("a\0b", 3)), "a b");
  EXPECT_EQ(storable(""), "");
}

TEST(Text, LosesSpacesAndTabsAroundIt) {
  EXPECT_EQ(trimmed("\t a b \t"), "a b");
  EXPECT_EQ(trimmed(" \t "), "");
  EXPECT_EQ(trimmed(""), "");
  EXPECT_EQ(trimmed("\r\n"), "\r\n");
}

TEST(Printable, HasNoControlCharacters) {
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac 1"), "caf\xc3\xa9 \xe2\x82\xac 1");
  EXPECT_EQ(printable("a\x1b[2J\nb\x7f"), "a?[2J?b?");
  EXPECT_EQ(printable("a\xc2\x9b"
                      "31m"),
            "a?31m");
  EXPECT_EQ(printable("\xc2\xa0"), "\xc2\xa0");
}

}  // namespace
}  // namespace rocket
