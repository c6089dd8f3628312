#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/flood.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"
#include "spec/support/time_limits.h"

// Sends, for each state of reading and writing, the most expensive input at full speed on many connections.
namespace rocket::spec {
namespace {

struct WorstInput {
  const char* name;
  Flood::Bytes bytes;
  std::size_t step = 65'536;
};

void PrintTo(const WorstInput& input, std::ostream* out) { *out << input.name; }

std::string with_fields(int count, const std::string& field) {
  std::string bytes = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < count; ++i) bytes += field + "\r\n";
  return bytes + "\r\n";
}

std::string many(const std::string& bytes, std::size_t size) {
  std::string all;
  while (all.size() < size) all += bytes;
  return all;
}

std::string stranger(const std::string& type, const std::string& body) {
  ClientRequest request{"POST", "/deposits", {{"Authorization", "nobody@example.com"}}, body};
  return request.with("Content-Type", type).to_bytes();
}

std::string chunked(const std::string& body) {
  return "POST /deposits HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

const std::vector<WorstInput>& worst_inputs() {
  constexpr std::size_t kBody = 65'536;
  const std::string json = "application/json";
  static const std::vector<WorstInput> inputs{
      {"BlankLines", {"", many("\r\n", 98'304)}},
      {"ASenderWhoseConnectionCloses", {"hello?\r\n\r\n", many("x", 1 << 20)}},
      {"PipelinedRequests", {"", many(get_request("/healthz").to_bytes(), 65'536)}},
      {"HeadsOfTheLargestSize", {"", with_fields(1, "X: " + std::string(16'000, 'x'))}},
      {"HeadsThatAreTooLarge", {"", "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x')}},
      {"ManyTinyFields", {"", many(with_fields(99, "a:"), 65'536)}},
      {"ABodyByteByByte", {"", stranger(json, std::string(kBody, 'x'))}, 1},
      {"ChunksOfOneByte", {"", chunked(many("1\r\nx\r\n", 6 * kBody) + "0\r\n\r\n")}},
      {"ChunksOfOneByteByteByByte", {"", chunked(many("1\r\nx\r\n", 6 * kBody) + "0\r\n\r\n")}, 1},
      {"ChunksWithTheLongestSizes",
       {"", chunked(many("0000000000000001\r\nx\r\n", 21 * kBody) + "0\r\n\r\n")}},
      {"ChunksWithLongExtensions", {"", chunked("1;" + std::string(4000, 'x') + "\r\nx\r\n0\r\n\r\n")}},
      {"ChunksWithEndlessExtensions", {"", chunked("1;" + std::string(kBody, 'x'))}},
      {"ChunksWithManyTrailers", {"", chunked("0\r\n" + many("a:\r\n", 4000) + "\r\n")}},
      {"ChunksWithEndlessTrailers", {"", chunked("0\r\n" + many("a:\r\n", kBody))}},
      {"DeepJson", {"", stranger(json, std::string(kBody, '['))}},
      {"WideJson", {"", stranger(json, "{\"a\":[" + many("[],", kBody - 16) + "1]}")}},
      {"WideForms", {"", stranger("application/x-www-form-urlencoded", many("&a=%31", kBody - 16))}},
  };
  return inputs;
}

class HeavyWorstInput : public testing::TestWithParam<WorstInput> {};

// The bound is a hundred times what a quiet machine needs. It is still small enough to fail for unbounded
// work, which made other clients wait for seconds.
TEST_P(HeavyWorstInput, HoldsUpNobodyElse) {
  constexpr int kConnections = 100;
  const TestDatabase database;
  const ApiProcess api(database);
  HttpConnection other = api.connect();
  EXPECT_EQ(other.exchange(get_request("/account")).status, 200);
  const Flood flood(api.port(), kConnections, GetParam().bytes, GetParam().step);
  ASSERT_TRUE(eventually([&] { return flood.bytes_sent() > kConnections * 4 * GetParam().step; }));
  for (const char* path : {"/healthz", "/account"}) {
    std::vector<std::chrono::milliseconds> waited;
    for (int i = 0; i < 9; ++i) {
      waited.push_back(time_of([&] { EXPECT_EQ(other.exchange(get_request(path)).status, 200); }));
    }
    std::sort(waited.begin(), waited.end());
    EXPECT_LT(waited[4], kSlowness * std::chrono::milliseconds(125)) << path;
    RecordProperty(path, std::to_string(waited[4].count()) + " ms, worst " +
                             std::to_string(waited.back().count()) + " ms");
  }
}

INSTANTIATE_TEST_SUITE_P(Of, HeavyWorstInput, testing::ValuesIn(worst_inputs()),
                         [](const auto& input) { return std::string(input.param.name); });

}  // namespace
}  // namespace rocket::spec
