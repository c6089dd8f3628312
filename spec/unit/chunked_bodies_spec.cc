#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "api/chunked_body.h"
#include "api/request_reader.h"

// RFC 9112, section 7.1.
namespace rocket::api {
namespace {

using namespace std::string_literals;

const std::string kHead = "POST /rides HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

// The status of the refusal; 0 if the bytes are a request, -1 if more bytes are needed.
int status_of(const RequestReader::Result& result) {
  if (const auto* refused = std::get_if<RequestReader::ProtocolError>(&result)) return refused->status;
  return std::holds_alternative<HttpRequest>(result) ? 0 : -1;
}

// Reads a request with this body, which comes all at once.
RequestReader::Result read(const std::string& body, RequestLimits limits = {}) {
  RequestReader reader(limits);
  InputBuffer buffer(kHead + body);
  return reader.next(buffer);
}

int status_of(const std::string& body, RequestLimits limits = {}) { return status_of(read(body, limits)); }

std::string body_of(const std::string& body) {
  const auto result = read(body);
  const auto* request = std::get_if<HttpRequest>(&result);
  return request == nullptr ? "no request" : request->body;
}

int status_of_head(const std::string& version, const std::string& fields) {
  RequestReader reader({});
  InputBuffer buffer("POST / " + version + "\r\nHost: a\r\n" + fields + "\r\n0\r\n\r\n");
  return status_of(reader.next(buffer));
}

TEST(ChunkedBodies, AreDecoded) {
  EXPECT_EQ(body_of("0\r\n\r\n"), "");
  EXPECT_EQ(body_of("5\r\nhello\r\n0\r\n\r\n"), "hello");
  EXPECT_EQ(body_of("1\r\nh\r\n0004\r\nello\r\n00\r\n\r\n"), "hello");
  EXPECT_EQ(body_of("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), "01234567890123456789");
  EXPECT_EQ(body_of("2\r\n\r\n\r\n0\r\n\r\n"), "\r\n");
  EXPECT_EQ(body_of("5;a=\"b;c\" ; d\r\nhello\r\n0 ;e\r\n\r\n"), "hello");
}

TEST(ChunkedBodies, AreDecodedHoweverTheyAreCut) {
  const std::string bytes =
      kHead + "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n" + kHead + "0\r\n\r\n";
  RequestReader reader({});
  InputBuffer buffer;
  std::string bodies;
  int requests = 0;
  for (const char byte : bytes) {
    buffer.append({&byte, 1});
    auto result = reader.next(buffer);
    ASSERT_FALSE(std::holds_alternative<RequestReader::ProtocolError>(result));
    if (const auto* request = std::get_if<HttpRequest>(&result)) {
      ++requests;
      bodies += request->body;
    }
  }
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(bodies, "hello world");
}

// The request that is handed on has a Content-Length only.
TEST(ChunkedBodies, AreHandedOnWithTheirLength) {
  auto result = read("5\r\nhello\r\n0\r\nContent-Length: 7\r\nAuthorization: x\r\n\r\n");
  ASSERT_TRUE(std::holds_alternative<HttpRequest>(result));
  const auto& request = std::get<HttpRequest>(result);
  EXPECT_EQ(request.count("transfer-encoding"), 0U);
  EXPECT_EQ(request.header("content-length"), "5");
  EXPECT_EQ(request.count("content-length"), 1U);
  // A trailer field never becomes a header field.
  EXPECT_EQ(request.count("authorization"), 0U);
}

TEST(ChunkedBodies, EndWhereTheirLastChunkEnds) {
  RequestReader reader({});
  InputBuffer buffer(kHead + "1\r\na\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(status_of(reader.next(buffer)), 0);
  auto next = reader.next(buffer);
  ASSERT_TRUE(std::holds_alternative<HttpRequest>(next));
  EXPECT_EQ(std::get<HttpRequest>(next).path, "/next");
  EXPECT_TRUE(std::get<HttpRequest>(next).body.empty());
}

TEST(ChunkedBodies, AreAskedForOnce) {
  RequestReader reader({});
  InputBuffer buffer(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
  auto result = reader.next(buffer);
  EXPECT_TRUE(std::get<RequestReader::NeedsMore>(result).expects_continue);
  buffer.append("1\r\na");
  result = reader.next(buffer);
  EXPECT_FALSE(std::get<RequestReader::NeedsMore>(result).expects_continue);
}

TEST(ChunkedBodies, MayHoldAsMuchAsOthers) {
  RequestLimits limits;
  limits.body_bytes = 10;
  EXPECT_EQ(status_of("a\r\n0123456789\r\n0\r\n\r\n", limits), 0);
  EXPECT_EQ(status_of("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", limits), 0);
  // The chunk's size is enough to refuse it, before the data come.
  EXPECT_EQ(status_of("b", limits), 413);
  EXPECT_EQ(status_of("5\r\n01234\r\n6", limits), 413);
  EXPECT_EQ(status_of("ffffffffffffffff\r\n", limits), 413);
  EXPECT_EQ(status_of("10000"), -1);
  EXPECT_EQ(status_of("10001"), 413);
}

TEST(ChunkedBodies, HaveBoundedSizesExtensionsAndTrailers) {
  EXPECT_EQ(status_of(std::string(16, '0')), -1);
  EXPECT_EQ(status_of(std::string(17, '0')), 400);
  const std::string longest(ChunkedBody::kMaxExtensionBytes - 1, 'x');
  EXPECT_EQ(status_of("1;" + longest + "\r\na\r\n0\r\n\r\n"), 0);
  EXPECT_EQ(status_of("1;" + longest + "xx"), 400);
  EXPECT_EQ(status_of("1 ;" + longest + "x"), 400);
  // The limit counts all chunks of a body together.
  EXPECT_EQ(status_of("1;" + longest + "\r\na\r\n1;x"), 400);
  const std::string trailer = "X: " + std::string(ChunkedBody::kMaxTrailerBytes - 5, 'x') + "\r\n";
  EXPECT_EQ(status_of("0\r\n" + trailer + "\r\n"), 0);
  EXPECT_EQ(status_of("0\r\n" + trailer + "Y"), 431);
  EXPECT_EQ(status_of("0\r\n" + std::string(ChunkedBody::kMaxTrailerBytes + 1, 'x')), 431);
}

// Decoded bytes leave the buffer, so that no byte is read twice.
TEST(ChunkedBodies, LeaveNothingInTheBufferBeforeTheyEnd) {
  RequestReader reader({});
  InputBuffer buffer(kHead + "5;a");
  for (const char* more : {"b\r", "\nhel", "lo", "\r\n", "0", "\r\nX", ": y"}) {
    EXPECT_EQ(status_of(reader.next(buffer)), -1);
    EXPECT_TRUE(buffer.empty());
    EXPECT_TRUE(reader.awaits_body());
    buffer.append(more);
  }
}

TEST(ChunkedBodies, CountAsMemoryWhileTheyCome) {
  RequestReader reader({});
  InputBuffer buffer(kHead);
  static_cast<void>(reader.next(buffer));
  EXPECT_LT(reader.held_bytes(), 1000U);
  buffer.append("8000\r\n" + std::string(0x8000, 'x'));
  static_cast<void>(reader.next(buffer));
  EXPECT_GE(reader.held_bytes(), 0x8000U);
}

class MalformedChunks : public testing::TestWithParam<std::string> {};

TEST_P(MalformedChunks, AreRefused) { EXPECT_EQ(status_of(GetParam()), 400) << GetParam(); }

INSTANTIATE_TEST_SUITE_P(ChunkedBodies, MalformedChunks,
                         testing::Values("\r\n"s, ";a=b\r\n"s, " 5\r\nhello"s, "5 \r\nhello"s,
                                         "5\t\r\nhello"s, "+5\r\nhello"s, "-5\r\nhello"s, "0x5\r\nhello"s,
                                         "5_0\r\n"s, "g\r\n"s, "5,5\r\n"s, "\xb5\r\n"s,
                                         // A bare line feed or a bare carriage return.
                                         "5\nhello\r\n0\r\n\r\n"s, "5\r\nhello\n0\r\n\r\n"s,
                                         "5\r\nhello\r\n0\n\n"s, "5\r\nhello\r\n0\r\n\n"s, "5\rhello"s,
                                         "5\r\rhello"s, "5;a\nb\r\nhello"s, "5;a\rb\r\nhello"s, "0\r\n\rx"s,
                                         // More or fewer data than the size says.
                                         "5\r\nhello!\r\n0\r\n\r\n"s, "6\r\nhello\r\n0\r\n\r\n"s,
                                         "5\r\nhello0\r\n\r\n"s,
                                         // NUL, or trailers that are not valid fields.
                                         "5;a\0\r\nhello"s, "5\0\r\nhello"s, "0\r\nX\r\n\r\n"s,
                                         "0\r\n: y\r\n\r\n"s, "0\r\nX : y\r\n\r\n"s, "0\r\n X: y\r\n\r\n"s,
                                         "0\r\nX: y\r\n z\r\n\r\n"s, "0\r\nX: a\nY: b\r\n\r\n"s,
                                         "0\r\nX: a\0b\r\n\r\n"s, "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"s));

class AmbiguousFraming : public testing::TestWithParam<const char*> {};

TEST_P(AmbiguousFraming, IsRefused) { EXPECT_EQ(status_of_head("HTTP/1.1", GetParam()), 400) << GetParam(); }

INSTANTIATE_TEST_SUITE_P(
    ChunkedBodies, AmbiguousFraming,
    testing::Values("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                    "Content-Length: 0\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: xchunked\r\n",
                    "Transfer-Encoding: chunkedx\r\n", "Transfer-Encoding: identity\r\n",
                    "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n",
                    "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
                    "Transfer-Encoding: chunked,\r\n", "Transfer-Encoding: \"chunked\"\r\n",
                    "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding:\r\n",
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                    "Transfer-Encoding: \x0b"
                    "chunked\r\n",
                    "Transfer-Encoding : chunked\r\n", " Transfer-Encoding: chunked\r\n",
                    "X: y\r\n Transfer-Encoding: chunked\r\n"));

TEST(ChunkedBodies, AreNamedSoInAnyCase) {
  EXPECT_EQ(status_of_head("HTTP/1.1", "transfer-ENCODING: \tChunked \r\n"), 0);
}

TEST(ChunkedBodies, AreNotOfHttp10) {
  EXPECT_EQ(status_of_head("HTTP/1.0", "Transfer-Encoding: chunked\r\n"), 400);
}

}  // namespace
}  // namespace rocket::api
