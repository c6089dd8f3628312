#include "api/client_address.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

// The address of a client behind proxies.
namespace rocket::api {
namespace {

using Header = TrustedProxies::Header;

std::string client(const std::string& trusted, const std::string& peer, std::vector<std::string> fields,
                   Header header = Header::kXForwardedFor) {
  const auto proxies = TrustedProxies::parse(trusted, header);
  if (!proxies) return "malformed";
  HttpRequest request;
  const char* name = header == Header::kForwarded ? "forwarded" : "x-forwarded-for";
  for (std::string& field : fields) request.headers.emplace_back(name, std::move(field));
  return proxies->client_address(request, peer);
}

TEST(ClientAddress, IsThePeersWhenNobodyIsTrusted) {
  EXPECT_EQ(client("", "192.0.2.1", {"203.0.113.9"}), "192.0.2.1");
  EXPECT_EQ(client("10.0.0.0/8", "192.0.2.1", {"203.0.113.9"}), "192.0.2.1");
}

TEST(ClientAddress, IsWhatATrustedProxySays) {
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {}), "10.1.2.3");
}

// A client may send the header itself. The proxy appends to it.
TEST(ClientAddress, IsReadFromTheEndOfTheList) {
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {"198.51.100.7, 203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {"198.51.100.7", "203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {"198.51.100.7, 203.0.113.9, 10.9.9.9"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {"10.8.8.8, 10.9.9.9"}), "10.8.8.8");
}

TEST(ClientAddress, IsTheProxysWhereTheListSaysNothing) {
  for (const char* field :
       {"unknown", "_hidden", "203.0.113.9, nonsense", ",", "203.0.113.9.9", "999.1.1.1"}) {
    EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {field}), "10.1.2.3") << field;
  }
  EXPECT_EQ(client("10.0.0.0/8", "10.1.2.3", {std::string(10'000, '1')}), "10.1.2.3");
}

TEST(ClientAddress, MayHaveAPort) {
  EXPECT_EQ(client("10.0.0.1", "10.0.0.1", {"203.0.113.9:4711"}), "203.0.113.9");
  EXPECT_EQ(client("10.0.0.1", "10.0.0.1", {"[2001:db8::17]:4711"}), "2001:db8::17");
  EXPECT_EQ(client("10.0.0.1", "10.0.0.1", {"2001:db8::17"}), "2001:db8::17");
}

TEST(ClientAddress, IsReadFromForwarded) {
  const std::string proxy = "10.0.0.1";
  const auto forwarded = [&](const char* field) { return client(proxy, proxy, {field}, Header::kForwarded); };
  EXPECT_EQ(forwarded("for=192.0.2.43"), "192.0.2.43");
  EXPECT_EQ(forwarded("For=\"[2001:db8:cafe::17]:4711\";proto=https"), "2001:db8:cafe::17");
  EXPECT_EQ(forwarded("for=198.51.100.7, by=203.0.113.60;proto=http;for=192.0.2.60"), "192.0.2.60");
  EXPECT_EQ(forwarded("for=198.51.100.7, proto=http"), proxy);
  EXPECT_EQ(forwarded("for=_gazonk"), proxy);
  EXPECT_EQ(client(proxy, proxy, {"for=192.0.2.43"}), proxy);
}

TEST(ClientAddress, WritesMappedIPv4AsIPv4) {
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1")->text(), "192.0.2.1");
  EXPECT_EQ(IpAddress::of_bytes(std::string(10, '\0') + "\xff\xff\xc0\x01\x02\x03").text(), "192.1.2.3");
  EXPECT_EQ(IpAddress::of_bytes("\xc0\x01\x02\x03").text(), "192.1.2.3");
  EXPECT_EQ(client("10.0.0.0/8", "::ffff:10.1.2.3", {"::ffff:203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(IpAddress::parse("2001:db8::1")->text(), "2001:db8::1");
}

// The PROXY protocol names the client, so a header field is ignored: the client may have invented it.
TEST(ClientAddress, IsThePeersWithTheProxyProtocol) {
  const auto proxies = TrustedProxies::parse("10.0.0.0/8", Header::kProxyProtocol);
  ASSERT_TRUE(proxies);
  HttpRequest request;
  request.headers.emplace_back("x-forwarded-for", "203.0.113.9");
  EXPECT_EQ(proxies->client_address(request, "10.1.2.3"), "10.1.2.3");
  EXPECT_TRUE(proxies->announces_clients(*IpAddress::parse("::ffff:10.1.2.3")));
  EXPECT_FALSE(proxies->announces_clients(*IpAddress::parse("192.0.2.1")));
  EXPECT_FALSE(TrustedProxies::parse("10.0.0.0/8", Header::kXForwardedFor)
                   ->announces_clients(*IpAddress::parse("10.1.2.3")));
}

TEST(ClientAddress, TrustsNetworks) {
  EXPECT_EQ(client("192.0.2.0/25, ::1", "192.0.2.127", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("192.0.2.0/25, ::1", "192.0.2.128", {"203.0.113.9"}), "192.0.2.128");
  EXPECT_EQ(client("192.0.2.0/25, ::1", "::1", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("2001:db8::/33", "2001:db8:7fff::1", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(client("2001:db8::/33", "2001:db8:8000::1", {"203.0.113.9"}), "2001:db8:8000::1");
  EXPECT_EQ(client("0.0.0.0/0", "192.0.2.1", {"2001:db8::1"}), "2001:db8::1");
}

TEST(ClientAddress, RefusesMalformedNetworks) {
  for (const char* networks : {"10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/8x",
                               ",", "10.0.0.0/8,,::1", "localhost"}) {
    EXPECT_EQ(client(networks, "192.0.2.1", {}), "malformed") << networks;
  }
}

TEST(ClientAddress, CountsForTheNetworkOfItsOwner) {
  EXPECT_EQ(network_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(network_of("2001:db8:1:2::"), "2001:db8:1:2::/64");
  EXPECT_NE(network_of("2001:db8:1:3::1"), network_of("2001:db8:1:2::1"));
  EXPECT_EQ(network_of("::ffff:192.0.2.1"), "::ffff:192.0.2.1");
}

}  // namespace
}  // namespace rocket::api
