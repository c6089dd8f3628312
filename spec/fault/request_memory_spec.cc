#include <gtest/gtest.h>
#include <sys/resource.h>

#include <exception>
#include <sstream>
#include <string>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/footprint.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// Requests that never end, from clients that are not known as users.
namespace rocket::spec {
namespace {

constexpr std::size_t kHead = 15'000;
constexpr std::size_t kBody = 65'000;

// A request without its last byte.
std::string unfinished_request() {
  ClientRequest request{"POST", "/rides", {{"X-Long", std::string(kHead, 'x')}}, std::string(kBody, 'x')};
  std::string bytes = request.to_bytes();
  bytes.pop_back();
  return bytes;
}

// The same request with its body in chunks.
std::string unfinished_chunks() {
  ClientRequest request{
      "POST", "/rides", {{"X-Long", std::string(kHead, 'x')}, {"Transfer-Encoding", "chunked"}}, ""};
  std::ostringstream size;
  size << std::hex << kBody;
  return request.to_bytes() + size.str() + "\r\n" + std::string(kBody, 'x') + "\r\n0\r\n\r";
}

TEST(HeavyRequestMemory, HoldsForAllUnfinishedRequestsTogether) {
  constexpr int kClients = 4000;
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  const TestDatabase database;
  ApiProcess api(database, {{"API_REQUEST_TIMEOUT_MS", "120000"}});
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
  const std::string bytes = unfinished_request();
  const std::string chunks = unfinished_chunks();
  std::vector<HttpConnection> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(api.connect());
    clients.back().send(i % 2 == 0 ? bytes : chunks);
  }
  EXPECT_EQ(api.send(get_request("/account")).status, 200);
  EXPECT_EQ(api.send(ride_request(new_key())).status, 201);
  EXPECT_LT(peak_memory_of(api.process().pid()), 128 * 1024);

  int refused = 0;
  for (HttpConnection& each : clients) {
    if (!each.has_input(std::chrono::milliseconds(0))) continue;
    const ClientResponse answer = each.receive();
    EXPECT_EQ(answer.status, 503) << answer.body;
    EXPECT_EQ(answer.code(), "overloaded");
    EXPECT_EQ(answer.header("retry-after"), "1");
    EXPECT_EQ(answer.header("connection"), "close");
    ++refused;
  }
  // The others fit into 48 MiB, and most of that is used.
  const int kept = kClients - refused;
  EXPECT_LE(kept, (48 << 20) / static_cast<int>(kBody));
  EXPECT_GE(kept, (48 << 20) / static_cast<int>(kHead + kBody) / 2);
  // The memory is free again once these clients are gone.
  clients.clear();
  HttpConnection large = api.connect();
  large.send(bytes);
  large.send("x");
  EXPECT_EQ(large.receive().status, 401);
}

}  // namespace
}  // namespace rocket::spec
