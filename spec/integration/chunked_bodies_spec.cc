#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "spec/integration/expectations.h"
#include "spec/support/api_process.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

std::string chunk(const std::string& data) {
  std::ostringstream bytes;
  bytes << std::hex << data.size() << "\r\n" << data << "\r\n";
  return bytes.str();
}

// The head of this request for a body in chunks.
std::string chunked_head(const ClientRequest& request) {
  ClientRequest head = request.with("Transfer-Encoding", "chunked");
  head.body.clear();
  return head.to_bytes();
}

class ChunkedBodiesSpec : public testing::Test {
 protected:
  // A good end includes the check of the leak sanitizer.
  void TearDown() override { expect_good_end(api_.process()); }

  ClientResponse answer_to(const std::string& bytes) {
    connection_.send(bytes);
    return connection_.receive();
  }

  // Expects a refusal and the end of the connection, so that bytes after the body cannot be taken for a
  // request.
  void expect_refused(const std::string& chunks, int status, const std::string& code) {
    const auto answer = answer_to(chunked_head(ride_) + chunks + ride_request(new_key()).to_bytes());
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.code(), code);
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(connection_.ends());
    EXPECT_EQ(database_.count("idempotency_keys"), 0);
  }

  TestDatabase database_;
  ApiProcess api_{database_};
  HttpConnection connection_ = api_.connect();
  const ClientRequest ride_ = ride_request(new_key());
};

TEST_F(ChunkedBodiesSpec, AreTheSameRequestAsOthers) {
  const std::string& form = ride_.body;
  const auto answer = answer_to(chunked_head(ride_) + chunk(form.substr(0, 1)) + chunk(form.substr(1)) +
                                "0\r\nX-Trailer: y\r\n\r\n");
  EXPECT_EQ(answer.status, 201) << answer.body;
  const auto again = connection_.exchange(ride_);
  EXPECT_EQ(again.body, answer.body);
  EXPECT_EQ(again.header("idempotent-replayed"), "true");
}

TEST_F(ChunkedBodiesSpec, MayComeByteByByteAndBeFollowed) {
  const std::string bytes = chunked_head(ride_) + chunk(ride_.body) + "0\r\n\r\n";
  for (const char byte : bytes) connection_.send({&byte, 1});
  connection_.send(get_request("/healthz").to_bytes());
  EXPECT_EQ(connection_.receive().status, 201);
  EXPECT_EQ(connection_.receive().status, 200);
}

TEST_F(ChunkedBodiesSpec, MayWaitUntilTheyAreAskedFor) {
  EXPECT_EQ(answer_to(chunked_head(ride_.with("Expect", "100-continue"))).status, 100);
  EXPECT_EQ(answer_to(chunk(ride_.body) + "0\r\n\r\n").status, 201);
}

TEST_F(ChunkedBodiesSpec, MayBeEmpty) {
  const auto answer = answer_to(chunked_head(ride_) + "0\r\n\r\n");
  EXPECT_EQ(answer.status, 422) << answer.body;
  EXPECT_EQ(answer.code(), "parameter_missing");
}

TEST_F(ChunkedBodiesSpec, ThatAreTooLargeAreRefused) {
  const std::string half(40'000, 'x');
  expect_refused(chunk(half) + chunk(half), 413, "body_too_large");
}

TEST_F(ChunkedBodiesSpec, ThatAreMalformedAreRefused) {
  expect_refused("5\nhello\n0\n\n", 400, "request_malformed");
}

TEST_F(ChunkedBodiesSpec, WithEndlessTrailersAreRefused) {
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "X: y\r\n";
  expect_refused(trailers, 431, "headers_too_large");
}

TEST_F(ChunkedBodiesSpec, ThatDoNotEndAreRefusedInTime) {
  const ApiProcess hasty(database_, {{"API_REQUEST_TIMEOUT_MS", "300"}});
  HttpConnection connection = hasty.connect();
  connection.send(chunked_head(ride_) + chunk(ride_.body));
  EXPECT_EQ(connection.receive().status, 408);
  EXPECT_TRUE(connection.ends());
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

}  // namespace
}  // namespace rocket::spec
