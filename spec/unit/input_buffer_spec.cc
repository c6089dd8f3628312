#include "api/input_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <variant>

#include "api/request_reader.h"

namespace rocket::api {
namespace {

TEST(InputBuffer, KeepsTheOrderOfBytesThatComeAndGo) {
  InputBuffer buffer;
  std::string sent;
  std::string taken;
  for (std::size_t i = 0; i < 5000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    sent += piece;
    buffer.append(piece);
    const std::size_t count = std::min(buffer.size(), i % 11);
    taken += buffer.view().substr(0, count);
    buffer.drop(count);
  }
  EXPECT_EQ(taken + std::string(buffer.view()), sent);
}

TEST(InputBuffer, HoldsLittleMoreMemoryThanBytes) {
  InputBuffer buffer;
  const std::string piece(16'384, 'x');
  for (int i = 0; i < 5; ++i) {
    buffer.append(piece);
    EXPECT_LE(buffer.capacity(), buffer.size() + 16'384);
  }
  // The buffer does not grow when its bytes are taken as fast as others come.
  for (int i = 0; i < 1000; ++i) {
    buffer.drop(piece.size());
    buffer.append(piece);
  }
  EXPECT_LE(buffer.capacity(), 3 * buffer.size());
  buffer.clear();
  EXPECT_LE(buffer.capacity(), InputBuffer::kKept);
}

// Reading all bytes again for each line or each request would take hours.
TEST(InputBuffer, LetsRequestsBeReadInTimeThatGrowsWithTheBytes) {
  std::string bytes;
  for (int i = 0; i < 8'000'000; ++i) bytes += "\r\n";
  constexpr int kRequests = 200'000;
  for (int i = 0; i < kRequests; ++i) bytes += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  InputBuffer buffer(bytes);
  RequestReader reader({});
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(std::holds_alternative<HttpRequest>(reader.next(buffer))) << i;
  }
  EXPECT_TRUE(buffer.empty());
}

}  // namespace
}  // namespace rocket::api
