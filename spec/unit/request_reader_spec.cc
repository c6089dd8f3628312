#include "api/request_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

namespace rocket::api {
namespace {

using namespace std::string_literals;

constexpr const char* kGet = "GET /account HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string with_head(const std::string& fields, const std::string& body = "") {
  return "POST /rides HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n" + body;
}

RequestReader::Result read(const std::string& bytes, RequestLimits limits = {}) {
  RequestReader reader(limits);
  InputBuffer buffer(bytes);
  return reader.next(buffer);
}

// The status of the refusal; 0 if the bytes are a request, -1 if more bytes are needed.
int refusal(const std::string& bytes, RequestLimits limits = {}) {
  const auto result = read(bytes, limits);
  if (const auto* refused = std::get_if<RequestReader::ProtocolError>(&result)) {
    EXPECT_FALSE(refused->code.empty());
    EXPECT_FALSE(refused->error.empty());
    return refused->status;
  }
  return std::holds_alternative<HttpRequest>(result) ? 0 : -1;
}

HttpRequest request_of(const std::string& bytes) {
  auto result = read(bytes);
  auto* request = std::get_if<HttpRequest>(&result);
  if (request == nullptr) ADD_FAILURE() << "no request in: " << bytes;
  return request == nullptr ? HttpRequest{} : *request;
}

TEST(RequestReader, ReadsARequest) {
  const auto request = request_of(
      "POST /rides?trace=1 HTTP/1.1\r\nHost: localhost\r\nX-Thing:  some value \t\r\nContent-Length: "
      "5\r\n\r\nhello");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/rides");
  EXPECT_EQ(request.header("x-thing"), "some value");
  EXPECT_EQ(request.body, "hello");
  EXPECT_TRUE(request.keep_alive);
}

TEST(RequestReader, KeepsRepeatedFieldsApart) {
  const auto request = request_of(with_head("Idempotency-Key: one\r\nidempotency-key: two\r\n"));
  EXPECT_EQ(request.count("idempotency-key"), 2U);
  EXPECT_EQ(request.header("idempotency-key"), "one");
}

TEST(RequestReader, ReadsPipelinedRequestsInOrder) {
  InputBuffer buffer(with_head("Content-Length: 3\r\n", "abc") + kGet +
                     with_head("Content-Length: 2\r\n", "de"));
  RequestReader reader({});
  std::vector<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    auto result = reader.next(buffer);
    ASSERT_TRUE(std::holds_alternative<HttpRequest>(result));
    const auto& request = std::get<HttpRequest>(result);
    seen.push_back(request.method + " " + request.path + " " + request.body);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"POST /rides abc", "GET /account ", "POST /rides de"}));
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(std::holds_alternative<RequestReader::NeedsMore>(reader.next(buffer)));
}

TEST(RequestReader, ReadsBytesThatComeOneAtATime) {
  const std::string bytes = with_head("Content-Length: 3\r\n", "abc") + kGet;
  RequestReader reader({});
  InputBuffer buffer;
  std::vector<HttpRequest> requests;
  for (const char byte : bytes) {
    buffer.append({&byte, 1});
    auto result = reader.next(buffer);
    ASSERT_FALSE(std::holds_alternative<RequestReader::ProtocolError>(result));
    if (auto* request = std::get_if<HttpRequest>(&result)) requests.push_back(*request);
  }
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].body, "abc");
  EXPECT_EQ(requests[1].path, "/account");
}

// RFC 9112, section 2.2.
TEST(RequestReader, IgnoresAnEmptyLineBeforeARequest) {
  EXPECT_EQ(request_of(std::string("\r\n") + kGet).path, "/account");
}

TEST(RequestReader, IgnoresAnEmptyLineThatComesInPieces) {
  RequestReader reader({});
  InputBuffer buffer;
  for (const char byte : std::string("\r\n") + kGet) {
    buffer.append({&byte, 1});
    const auto result = reader.next(buffer);
    if (const auto* refused = std::get_if<RequestReader::ProtocolError>(&result)) FAIL() << refused->error;
    if (std::holds_alternative<HttpRequest>(result)) return;
  }
  FAIL() << "no request";
}

TEST(RequestReader, LeavesABodyThatLooksLikeARequestAlone) {
  const std::string body = kGet;
  const auto request = request_of(with_head("Content-Length: " + std::to_string(body.size()) + "\r\n", body));
  EXPECT_EQ(request.body, body);
}

class MalformedLengthSpec : public testing::TestWithParam<const char*> {};

TEST_P(MalformedLengthSpec, IsRefused) { EXPECT_EQ(refusal(with_head(GetParam(), "12345")), 400); }

INSTANTIATE_TEST_SUITE_P(RequestReader, MalformedLengthSpec,
                         testing::Values("Content-Length: 5\r\nContent-Length: 5\r\n",
                                         "Content-Length: 5\r\ncontent-length: 4\r\n",
                                         "Content-Length: 5, 5\r\n", "Content-Length: 5 5\r\n",
                                         "Content-Length: +5\r\n", "Content-Length: -5\r\n",
                                         "Content-Length: 0x5\r\n", "Content-Length: 5.0\r\n",
                                         "Content-Length: five\r\n", "Content-Length:\r\n",
                                         "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                                         "Content-Length: 5\r\nTransfer-Encoding: identity\r\n"));

class MalformedHeadSpec : public testing::TestWithParam<std::string> {};

TEST_P(MalformedHeadSpec, IsRefused) { EXPECT_EQ(refusal(GetParam()), 400); }

INSTANTIATE_TEST_SUITE_P(
    RequestReader, MalformedHeadSpec,
    testing::Values("GET / HTTP/1.1\nHost: a\r\n\r\n",                   // bare LF ends the request line
                    "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",           // bare LF ends a field
                    "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",           // bare CR
                    "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",   // line folding
                    "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",  // the same with a tab
                    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",                // folding of nothing
                    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nabcde",  // space before the colon
                    "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",                        // no colon
                    "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",                      // no name
                    "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n",                    // no token
                    "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"s,                 // NUL in a field
                    "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s,                        // NUL in the target
                    "GET / HTTP/1.1\r\n\r\n",                                        // no Host
                    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",                  // two Host fields
                    "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
                    "GET /\r\nHost: a\r\n\r\n",            // HTTP/0.9
                    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",  // two spaces
                    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",  // trailing space
                    "GET / http/1.1\r\nHost: a\r\n\r\n", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
                    " / HTTP/1.1\r\nHost: a\r\n\r\n",
                    "GET account HTTP/1.1\r\nHost: a\r\n\r\n",      // not absolute
                    "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"));  // not ASCII

TEST(RequestReader, NeverTakesBareLineFeedsForARequest) {
  EXPECT_NE(refusal("GET /account HTTP/1.1\nHost: localhost\n\n"), 0);
}

TEST(RequestReader, RefusesOtherVersions) {
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(refusal("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505);
}

TEST(RequestReader, RefusesAHeadThatIsTooLarge) {
  RequestLimits limits;
  limits.head_bytes = 100;
  const std::string frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
  const auto head_of = [&](std::size_t size) {
    std::string head = frame;
    // The limit does not count the empty line.
    head.insert(head.size() - 4, size - (frame.size() - 4), 'x');
    return head;
  };
  EXPECT_EQ(refusal(head_of(100), limits), 0);
  EXPECT_EQ(refusal(head_of(101), limits), 431);
  // A head is refused even before its end has come.
  EXPECT_EQ(refusal(std::string(101, 'x'), limits), 431);
  EXPECT_EQ(refusal(std::string(100, 'x'), limits), -1);
  // The beginning of the empty line does not count either.
  EXPECT_EQ(refusal(head_of(100).substr(0, 103), limits), -1);
  EXPECT_EQ(refusal(std::string(100, 'x') + "\r\nx", limits), 431);
}

TEST(RequestReader, RefusesTooManyFields) {
  RequestLimits limits;
  limits.headers = 3;
  EXPECT_EQ(refusal(with_head("A: 1\r\nB: 2\r\n"), limits), 0);
  EXPECT_EQ(refusal(with_head("A: 1\r\nB: 2\r\nC: 3\r\n"), limits), 431);
}

TEST(RequestReader, RefusesATargetThatIsTooLong) {
  RequestLimits limits;
  limits.target_bytes = 10;
  EXPECT_EQ(refusal("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", limits), 0);
  EXPECT_EQ(refusal("GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n", limits), 414);
}

TEST(RequestReader, RefusesABodyThatIsTooLargeBeforeItComes) {
  RequestLimits limits;
  limits.body_bytes = 10;
  EXPECT_EQ(refusal(with_head("Content-Length: 10\r\n", "0123456789"), limits), 0);
  EXPECT_EQ(refusal(with_head("Content-Length: 11\r\n"), limits), 413);
  EXPECT_EQ(refusal(with_head("Content-Length: 11\r\nExpect: 100-continue\r\n"), limits), 413);
  EXPECT_EQ(refusal(with_head("Content-Length: 99999999999999999999999999\r\n"), limits), 413);
}

TEST(RequestReader, TakesTheAbsoluteForm) {
  const auto request = request_of("GET http://example.com:80/rides/7?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(request.path, "/rides/7");
  EXPECT_EQ(request_of("GET http://example.com?x=/1 HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
  EXPECT_EQ(request_of("GET https://example.com HTTP/1.1\r\nHost: a\r\n\r\n").path, "/");
}

bool keeps_alive(const std::string& version, const std::string& fields) {
  return request_of("GET / " + version + "\r\nHost: a\r\n" + fields + "\r\n").keep_alive;
}

TEST(RequestReader, KeepsHttp11ConnectionsUnlessTold) {
  EXPECT_TRUE(keeps_alive("HTTP/1.1", ""));
  EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: Upgrade , CLOSE\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: keep-alive, close\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_TRUE(keeps_alive("HTTP/1.1", "Connection: closed\r\n"));
}

TEST(RequestReader, ClosesHttp10ConnectionsUnlessTold) {
  EXPECT_FALSE(keeps_alive("HTTP/1.0", ""));
  EXPECT_TRUE(keeps_alive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.0", "Connection: keep-alive, close\r\n"));
  EXPECT_TRUE(std::holds_alternative<HttpRequest>(read("GET / HTTP/1.0\r\n\r\n")));  // needs no Host
}

TEST(RequestReader, TellsOfHttp10WhetherItsConnectionStays) {
  const auto option = [](const std::string& version, const std::string& fields) {
    return std::string(
        request_of("GET / " + version + "\r\nHost: a\r\n" + fields + "\r\n").connection_option());
  };
  EXPECT_EQ(option("HTTP/1.1", ""), "");
  EXPECT_EQ(option("HTTP/1.1", "Connection: keep-alive\r\n"), "");
  EXPECT_EQ(option("HTTP/1.1", "Connection: close\r\n"), "close");
  EXPECT_EQ(option("HTTP/1.0", ""), "close");
  EXPECT_EQ(option("HTTP/1.0", "Connection: Keep-Alive\r\n"), "keep-alive");
}

TEST(RequestReader, AsksOnceForABodyThatIsHeldBack) {
  InputBuffer buffer(with_head("Content-Length: 3\r\nExpect: 100-Continue\r\n"));
  RequestReader reader({});
  auto result = reader.next(buffer);
  ASSERT_TRUE(std::holds_alternative<RequestReader::NeedsMore>(result));
  EXPECT_TRUE(std::get<RequestReader::NeedsMore>(result).expects_continue);
  buffer.append("a");
  result = reader.next(buffer);
  ASSERT_TRUE(std::holds_alternative<RequestReader::NeedsMore>(result));
  EXPECT_FALSE(std::get<RequestReader::NeedsMore>(result).expects_continue);
  buffer.append("bc");
  result = reader.next(buffer);
  ASSERT_TRUE(std::holds_alternative<HttpRequest>(result));
  EXPECT_EQ(std::get<HttpRequest>(result).body, "abc");
}

TEST(RequestReader, DoesNotAskForABodyThatIsThere) {
  EXPECT_EQ(request_of(with_head("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc")).body, "abc");
}

TEST(RequestReader, DoesNotAskAnHttp10ClientForItsBody) {
  const auto result = read("POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(std::holds_alternative<RequestReader::NeedsMore>(result));
  EXPECT_FALSE(std::get<RequestReader::NeedsMore>(result).expects_continue);
}

TEST(RequestReader, RefusesOtherExpectations) { EXPECT_EQ(refusal(with_head("Expect: tea\r\n")), 417); }

TEST(RequestReader, DoesNotMixUpTwoRequests) {
  // The fields of the first request must not apply to the second.
  InputBuffer buffer(with_head("Content-Length: 3\r\nConnection: close\r\nExpect: 100-continue\r\n", "abc") +
                     kGet);
  RequestReader reader({});
  static_cast<void>(reader.next(buffer));
  auto result = reader.next(buffer);
  ASSERT_TRUE(std::holds_alternative<HttpRequest>(result));
  const auto& second = std::get<HttpRequest>(result);
  EXPECT_TRUE(second.keep_alive);
  EXPECT_TRUE(second.body.empty());
  EXPECT_EQ(second.count("expect"), 0U);
}

}  // namespace
}  // namespace rocket::api
