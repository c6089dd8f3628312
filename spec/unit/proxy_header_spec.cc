#include "api/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

// The header of the PROXY protocol, as its specification describes it.
namespace rocket::api {
namespace {

using namespace std::string_literals;

constexpr const char* kGet = "GET / HTTP/1.1\r\n\r\n";

// Returns "needs more", "malformed", or the client's address ("none" if unknown) and the bytes after the
// header.
std::string read(const std::string& bytes) {
  const auto result = ProxyHeader::read(bytes);
  if (std::holds_alternative<ProxyHeader::NeedsMore>(result)) return "needs more";
  const auto* header = std::get_if<ProxyHeader>(&result);
  if (header == nullptr) return "malformed";
  return (header->client ? header->client->text() : "none") + "|" + bytes.substr(header->size);
}

// A binary header: version and command, family and protocol, and the bytes that follow the length.
std::string binary(char command, char family, const std::string& rest) {
  return "\r\n\r\n\0\r\nQUIT\n"s + command + family + static_cast<char>(rest.size() / 256) +
         static_cast<char>(rest.size() % 256) + rest;
}

const std::string kIpv4 = "\x01\x02\x03\x04\x7f\0\0\x01\x10\x00\x01\xbb"s;
const std::string kIpv6 =
    "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07"s + std::string(16, '\0') + "\0\1\0\2"s;

TEST(ProxyHeader, IsReadFromText) {
  EXPECT_EQ(read("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\nGET"), "192.0.2.1|GET");
  EXPECT_EQ(read("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255|");
  EXPECT_EQ(read("PROXY TCP6 2001:DB8::7 ::1 0 443\r\n\r\n"), "2001:db8::7|\r\n");
  EXPECT_EQ(read("PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n"), "1.2.3.4|");
  EXPECT_EQ(read("PROXY UNKNOWN\r\nGET"), "none|GET");
  EXPECT_EQ(read("PROXY UNKNOWN ffff::1 what ever 1\r\nGET"), "none|GET");
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n"), "none|");
}

TEST(ProxyHeader, IsReadStrictlyFromText) {
  for (const char* line : {"PROXY TCP4 192.0.2.1 10.0.0.1 56324\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443 \r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443 1\r\n",
                           "PROXY TCP4  192.0.2.1 10.0.0.1 56324 443\r\n",
                           "PROXY TCP4 192.0.2.01 10.0.0.1 56324 443\r\n",
                           "PROXY TCP4 192.0.2.256 10.0.0.1 56324 443\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0 56324 443\r\n",
                           "PROXY TCP4 2001:db8::7 10.0.0.1 1 2\r\n",
                           "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 65536 443\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 01 443\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 -1 443\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 1 443\n\r\n",
                           "PROXY TCP4 192.0.2.1 10.0.0.1 1 \r\n",
                           "PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n",
                           "PROXY UNKNOWNS\r\n",
                           "PROXY UNKNOWN\nGET / HTTP/1.1\r\n",
                           "PROXY\r\n",
                           "PROXY \r\n",
                           "proxy TCP4",
                           "PROXZ",
                           "GET / HTTP/1.1\r\n",
                           "\r\nGET",
                           "\x16\x03"}) {
    EXPECT_EQ(read(line), "malformed") << line;
  }
  // A text header has at most 107 bytes.
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(92, 'x') + "\r"), "malformed");
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"), "malformed");
}

TEST(ProxyHeader, IsReadFromBytes) {
  EXPECT_EQ(read(binary('\x21', '\x11', kIpv4) + kGet), "1.2.3.4|"s + kGet);
  EXPECT_EQ(read(binary('\x21', '\x21', kIpv6) + kGet), "2001:db8::7|"s + kGet);
  // An additional value (TLV) of an unknown type.
  EXPECT_EQ(read(binary('\x21', '\x11', kIpv4 + "\xe0\x00\x02hi"s) + kGet), "1.2.3.4|"s + kGet);
}

TEST(ProxyHeader, MayTellNobodysAddress) {
  // LOCAL: the proxy's own connection. The addresses do not count.
  EXPECT_EQ(read(binary('\x20', '\x00', "") + kGet), "none|"s + kGet);
  EXPECT_EQ(read(binary('\x20', '\x11', kIpv4) + kGet), "none|"s + kGet);
  EXPECT_EQ(read(binary('\x20', '\xff', "") + kGet), "none|"s + kGet);
  // The family is unspecified, datagram or Unix socket.
  EXPECT_EQ(read(binary('\x21', '\x00', "xyz") + kGet), "none|"s + kGet);
  EXPECT_EQ(read(binary('\x21', '\x12', kIpv4) + kGet), "none|"s + kGet);
  EXPECT_EQ(read(binary('\x21', '\x31', std::string(216, '\0')) + kGet), "none|"s + kGet);
}

TEST(ProxyHeader, IsReadStrictlyFromBytes) {
  EXPECT_EQ(read(binary('\x11', '\x11', kIpv4)), "malformed");
  EXPECT_EQ(read(binary('\x31', '\x11', kIpv4)), "malformed");
  EXPECT_EQ(read(binary('\x22', '\x11', kIpv4)), "malformed");
  EXPECT_EQ(read(binary('\x21', '\x41', kIpv4)), "malformed");
  EXPECT_EQ(read(binary('\x21', '\x13', kIpv4)), "malformed");
  EXPECT_EQ(read(binary('\x21', '\x11', kIpv4.substr(1))), "malformed");
  EXPECT_EQ(read(binary('\x21', '\x21', kIpv6.substr(1))), "malformed");
  EXPECT_EQ(read("\r\n\r\n\0\r\nQUIX"s), "malformed");
}

TEST(ProxyHeader, IsBounded) {
  const std::string longest = binary('\x20', '\x00', std::string(ProxyHeader::kMaxBytes - 16, 'x'));
  EXPECT_EQ(read(longest), "none|");
  EXPECT_EQ(read(binary('\x20', '\x00', std::string(ProxyHeader::kMaxBytes - 15, 'x')).substr(0, 16)),
            "malformed");
}

// The result is the same wherever the header is cut into pieces.
TEST(ProxyHeader, MayComeInPieces) {
  for (const std::string& whole : {"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"s, "PROXY UNKNOWN\r\n"s,
                                   binary('\x21', '\x11', kIpv4), binary('\x20', '\x00', "")}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(read(whole.substr(0, size)), "needs more") << whole << size;
    }
    EXPECT_TRUE(read(whole).ends_with("|"));
  }
}

}  // namespace
}  // namespace rocket::api
