#include <gtest/gtest.h>

#include <string>

#include "spec/integration/connections_fixture.h"
#include "spec/support/requests.h"

// Requests that are malformed, too large or too slow: the api refuses them and closes the connection.
namespace rocket::spec {
namespace {

std::string with_fields(int count) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < count; ++i) bytes += "X: y\r\n";
  return bytes + "\r\n";
}

TEST_F(ConnectionsSpec, GiveASlowSender408) {
  const std::string bytes = ride_request(new_key()).to_bytes();
  expect_refused(bytes.substr(0, bytes.size() - 5), 408);
}

TEST_F(ConnectionsSpec, GiveTheSenderOfAHeadAlone408) {
  const ClientRequest request = ride_request(new_key());
  const std::string bytes = request.to_bytes();
  expect_refused(bytes.substr(0, bytes.size() - request.body.size()), 408);
}

TEST_F(ConnectionsSpec, RefuseABodyThatIsTooLarge) {
  ClientRequest request = ride_request(new_key());
  request.body = std::string(65 * 1024, 'x');
  expect_refused(request.to_bytes(), 413);
}

TEST_F(ConnectionsSpec, DoNotAskForABodyTheyWouldRefuse) {
  connection_.send(
      "POST /rides HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(connection_.receive().status, 413);
}

TEST_F(ConnectionsSpec, RefuseATargetThatIsTooLong) {
  expect_refused("GET /" + std::string(5000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414);
}

TEST_F(ConnectionsSpec, RefuseAHeadThatIsTooLarge) {
  expect_refused("GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + std::string(20'000, 'x') + "\r\n\r\n",
                 431);
}

TEST_F(ConnectionsSpec, RefuseTooManyFields) { expect_refused(with_fields(101), 431); }

TEST_F(ConnectionsSpec, RefuseAThousandFields) { expect_refused(with_fields(1000), 431); }

TEST_F(ConnectionsSpec, RefuseAmbiguousLengths) {
  expect_refused(ride_request(new_key()).with("Content-Length", "3").to_bytes(), 400);
}

TEST_F(ConnectionsSpec, RefuseASmuggledRequest) {
  const std::string smuggled = ride_request(new_key()).to_bytes();
  expect_refused(
      "POST /rides HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: "
      "5\r\n\r\n0\r\n\r\n" +
          smuggled,
      400);
}

TEST_F(ConnectionsSpec, RefuseWhatIsNoHttp) { expect_refused("hello?\r\n\r\n", 400); }

// A TLS client waits for an answer to its hello, so a part of the hello must be refused already.
TEST_F(ConnectionsSpec, RefuseATlsHelloAtOnce) { expect_refused({"\x16\x03\x01", 3}, 400); }

TEST_F(ConnectionsSpec, RefuseOtherVersions) { expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505); }

TEST_F(ConnectionsSpec, RefuseABadRequestAfterAnsweringTheGoodOne) {
  connection_.send(get_request("/healthz").to_bytes() + "hello?\r\n\r\n" +
                   ride_request(new_key()).to_bytes());
  EXPECT_EQ(connection_.receive().status, 200);
  EXPECT_EQ(connection_.receive().status, 400);
  EXPECT_TRUE(connection_.ends());
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

}  // namespace
}  // namespace rocket::spec
