#include <gtest/gtest.h>

#include <string>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// An audit record has the client's address, not the address of a proxy.
namespace rocket::spec {
namespace {

class ProxiesSpec : public testing::Test {
 protected:
  std::string origin_ip(const Environment& settings, const std::string& header, const std::string& value) {
    const ApiProcess api(database_, settings);
    const ClientResponse answer = api.send(ride_request(new_key()).with(header, value));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return last_origin_ip();
  }
  std::string last_origin_ip() {
    return database_.value("SELECT host(origin_ip) FROM audit_records ORDER BY id DESC LIMIT 1");
  }

  TestDatabase database_;
};

TEST_F(ProxiesSpec, AreNotBelievedByDefault) {
  EXPECT_EQ(origin_ip({}, "X-Forwarded-For", "203.0.113.9"), "127.0.0.1");
  EXPECT_EQ(origin_ip({{"API_TRUSTED_PROXIES", "10.0.0.0/8"}}, "X-Forwarded-For", "203.0.113.9"),
            "127.0.0.1");
}

TEST_F(ProxiesSpec, AreBelievedWhenTrusted) {
  const Environment trusting{{"API_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1"}};
  EXPECT_EQ(origin_ip(trusting, "X-Forwarded-For", "198.51.100.7, 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(origin_ip(trusting, "X-Forwarded-For", "2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(origin_ip(trusting, "X-Forwarded-For", "nonsense"), "127.0.0.1");
  EXPECT_EQ(origin_ip(trusting, "Forwarded", "for=203.0.113.9"), "127.0.0.1");
}

TEST_F(ProxiesSpec, MayTellItInForwarded) {
  const Environment trusting{{"API_TRUSTED_PROXIES", "127.0.0.1"}, {"API_PROXY_HEADER", "forwarded"}};
  EXPECT_EQ(origin_ip(trusting, "Forwarded", "for=198.51.100.7, for=203.0.113.9;proto=https"), "203.0.113.9");
  EXPECT_EQ(origin_ip(trusting, "X-Forwarded-For", "203.0.113.9"), "127.0.0.1");
}

TEST_F(ProxiesSpec, AreSeenWithTheirIPv4Address) {
  Environment environment = kInPublic;
  environment["API_BIND"] = "::";
  EXPECT_EQ(origin_ip(environment, "X-Forwarded-For", "203.0.113.9"), "127.0.0.1");
}

// The PROXY protocol.
class ProxyProtocol : public ProxiesSpec {
 protected:
  static constexpr const char* kHeader = "PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n";
  static const std::string kLocal;

  static Environment trusting(const std::string& proxies) {
    return {{"API_TRUSTED_PROXIES", proxies}, {"API_PROXY_HEADER", "proxy-protocol"}};
  }
  static ClientRequest ride() { return ride_request(new_key()).with("X-Forwarded-For", "192.0.2.66"); }
};

const std::string ProxyProtocol::kLocal("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);

TEST_F(ProxyProtocol, NamesTheClientOfAConnectionOnce) {
  const ApiProcess api(database_, trusting("127.0.0.1"));
  HttpConnection connection = api.connect();
  connection.send(kHeader);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(connection.exchange(ride()).status, 201);
    EXPECT_EQ(last_origin_ip(), "203.0.113.9");
  }
  connection.send(kHeader + ride().to_bytes());
  EXPECT_EQ(connection.receive().status, 400);
  EXPECT_TRUE(connection.ends());
}

TEST_F(ProxyProtocol, MayComeInPieces) {
  const ApiProcess api(database_, trusting("127.0.0.1"));
  HttpConnection connection = api.connect();
  for (const char byte : std::string(kHeader)) connection.send({&byte, 1});
  EXPECT_EQ(connection.exchange(ride()).status, 201);
  EXPECT_EQ(last_origin_ip(), "203.0.113.9");
}

TEST_F(ProxyProtocol, LeavesAProxysOwnConnectionToIt) {
  const ApiProcess api(database_, trusting("127.0.0.1"));
  HttpConnection connection = api.connect();
  connection.send(kLocal);
  EXPECT_EQ(connection.exchange(ride()).status, 201);
  EXPECT_EQ(last_origin_ip(), "127.0.0.1");
}

TEST_F(ProxyProtocol, IsNotGuessed) {
  Environment settings = trusting("127.0.0.1");
  settings["API_REQUEST_TIMEOUT_MS"] = "100";
  const ApiProcess api(database_, settings);
  for (const std::string& bytes : {ride().to_bytes(), std::string("PROXY TCP4 203.0.113.9\r\n"),
                                   // The rest of these headers never comes.
                                   std::string("PROXY"), std::string(kLocal, 0, 14), std::string()}) {
    HttpConnection connection = api.connect();
    if (!bytes.empty()) connection.send(bytes);
    EXPECT_TRUE(connection.ends()) << bytes;
  }
  HttpConnection half_closed = api.connect();
  half_closed.send("PROXY");
  half_closed.end_sending();
  EXPECT_TRUE(half_closed.ends());
  EXPECT_EQ(database_.count("rides"), 0);
}

TEST_F(ProxyProtocol, IsBadHttpFromAnybodyElse) {
  for (const Environment& settings :
       {trusting("10.0.0.0/8"), Environment{{"API_TRUSTED_PROXIES", "127.0.0.1"}}}) {
    const ApiProcess api(database_, settings);
    for (const std::string& header : {std::string(kHeader), kLocal}) {
      HttpConnection connection = api.connect();
      connection.send(header + ride().to_bytes());
      EXPECT_EQ(connection.receive().status, 400);
    }
    // A client that sends no header is served under its own address.
    EXPECT_EQ(api.send(get_request("/healthz")).status, 200);
  }
  EXPECT_EQ(origin_ip(trusting("10.0.0.0/8"), "X-Forwarded-For", "192.0.2.66"), "127.0.0.1");
}

TEST_F(ProxyProtocol, CountsConnectionsForTheirClients) {
  Environment settings = trusting("127.0.0.1");
  settings["API_MAX_CONNECTIONS_PER_ADDRESS"] = "1";
  const ApiProcess api(database_, settings);
  const auto announced = [&](const std::string& client) {
    HttpConnection connection = api.connect();
    connection.send("PROXY TCP4 " + client + " 10.0.0.1 56324 443\r\n");
    return connection;
  };
  HttpConnection one = announced("203.0.113.1");
  HttpConnection other = announced("203.0.113.2");
  EXPECT_EQ(one.exchange(get_request("/healthz")).status, 200);
  EXPECT_EQ(other.exchange(get_request("/healthz")).status, 200);
  EXPECT_TRUE(announced("203.0.113.1").ends());
}

TEST_F(ProxyProtocol, NeedsToKnowWhoseWordCounts) {
  const Finished api =
      run_to_end("api", {{"DATABASE_URL", database_.url()}, {"API_PROXY_HEADER", "proxy-protocol"}});
  EXPECT_EQ(api.exit.code, 2);
  EXPECT_NE(api.output.find("API_TRUSTED_PROXIES"), std::string::npos) << api.output;
}

TEST_F(ProxiesSpec, AreNamedCorrectlyOrTheApiDoesNotStart) {
  const Finished api =
      run_to_end("api", {{"DATABASE_URL", database_.url()}, {"API_TRUSTED_PROXIES", "10.0.0.0/99"}});
  EXPECT_EQ(api.exit.code, 2);
  EXPECT_NE(api.output.find("API_TRUSTED_PROXIES"), std::string::npos) << api.output;
}

}  // namespace
}  // namespace rocket::spec
