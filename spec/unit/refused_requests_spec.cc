#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "api/request_reader.h"

namespace rocket::api {
namespace {

std::string with_head(const std::string& fields, const std::string& body = "") {
  return "POST /rides HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n" + body;
}

// The status of the refusal; -1 if more bytes are needed.
int status_of(const std::string& bytes) {
  RequestReader reader({});
  InputBuffer buffer(bytes);
  const auto result = reader.next(buffer);
  const auto* refused = std::get_if<RequestReader::ProtocolError>(&result);
  return refused == nullptr ? -1 : refused->status;
}

// Bytes that cannot begin a request are refused at once, because their sender may wait for an answer.
TEST(RefusedRequests, MayBeKnownByTheirFirstByte) {
  EXPECT_EQ(status_of("\x16"), 400);
  EXPECT_EQ(status_of("\x16\x03\x01\x02"), 400);
  EXPECT_EQ(status_of("\x80"), 400);
  EXPECT_EQ(status_of("\n"), 400);
  EXPECT_EQ(status_of("\rx"), 400);
  EXPECT_EQ(status_of("\r"), -1);
  EXPECT_EQ(status_of("\r\n\x16"), 400);
}

// Every refusal has the format that its client asks for.
TEST(RefusedRequests, SayWhatTheirClientsAccept) {
  const auto accept_of = [](const std::string& bytes) {
    RequestReader reader({});
    InputBuffer buffer(bytes);
    const bool is_request = std::holds_alternative<HttpRequest>(reader.next(buffer));
    return is_request ? "a request" : std::string(reader.begun(buffer).header("accept").value_or(""));
  };
  const std::string fields = "Host: a\r\naccept:  some/thing \r\n";
  EXPECT_EQ(accept_of("GET / HTTP/3.0\r\n" + fields + "\r\n"), "some/thing");
  EXPECT_EQ(accept_of("GET /" + std::string(5000, 'x') + " HTTP/1.1\r\n" + fields + "\r\n"), "some/thing");
  EXPECT_EQ(accept_of("GET / HTTP/1.1\r\nBad\r\n" + fields + "\r\n"), "some/thing");
  EXPECT_EQ(accept_of("GET / HTTP/1.1\r\n" + fields + "X: " + std::string(20'000, 'x')), "some/thing");
  EXPECT_EQ(accept_of(with_head("Accept: some/thing\r\nContent-Length: 70000\r\n")), "some/thing");
  EXPECT_EQ(accept_of(with_head("Accept: some/thing\r\nTransfer-Encoding: chunked\r\n", "x")), "some/thing");
  // Incomplete requests: the head, its Accept field, or the body has not come whole.
  EXPECT_EQ(accept_of("GET / HTTP/1.1\r\n" + fields + "X: y"), "some/thing");
  EXPECT_EQ(accept_of("GET / HTTP/1.1\r\nAccept: some/th"), "");
  EXPECT_EQ(accept_of(with_head("Accept: some/thing\r\nContent-Length: 3\r\n", "ab")), "some/thing");
  EXPECT_EQ(accept_of("GET / HTTP/3.0\r\nHost: a\r\nX-Accept: b\r\n\r\n"), "");
  EXPECT_EQ(accept_of("hello?\r\n\r\n"), "");
  // Text after the head is no field.
  EXPECT_EQ(accept_of("GET / HTTP/3.0\r\nHost: a\r\n\r\nAccept: some/thing\r\n\r\n"), "");
}

TEST(RefusedRequests, AreForgotten) {
  RequestReader reader({});
  InputBuffer buffer(with_head("Accept: some/thing\r\nContent-Length: 3\r\n", "ab"));
  static_cast<void>(reader.next(buffer));
  EXPECT_TRUE(reader.awaits_body());
  reader.clear();
  EXPECT_FALSE(reader.awaits_body());
  EXPECT_EQ(reader.held_bytes(), 0U);
}

}  // namespace
}  // namespace rocket::api
