#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "spec/integration/connections_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"

// Requests that a client sends before it has the answers to earlier ones.
namespace rocket::spec {
namespace {

TEST_F(ConnectionsSpec, AnswerPipelinedRequestsInOrder) {
  // The slow ones come first.
  std::string bytes;
  std::vector<std::string> expected;
  for (int i = 0; i < 4; ++i) {
    for (const auto& request : {ride_request(new_key()), get_request("/healthz"), get_request("/nothing")}) {
      const std::string id = "id-" + std::to_string(expected.size());
      bytes += request.with("X-Request-Id", id).to_bytes();
      expected.push_back(id);
    }
  }
  connection_.send(bytes);
  std::vector<std::string> answered;
  std::vector<int> statuses;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto response = connection_.receive();
    answered.push_back(response.header("x-request-id"));
    statuses.push_back(response.status);
  }
  EXPECT_EQ(answered, expected);
  EXPECT_EQ(statuses, (std::vector<int>{201, 200, 404, 201, 200, 404, 201, 200, 404, 201, 200, 404}));
  EXPECT_EQ(database_.count("rides"), 4);
}

TEST_F(ConnectionsSpec, AnswerInOrderWhatComesWhileTheyWork) {
  const ApiProcess slow(database_, {{"MOCK_LATENCY_MS", "1000"}});
  HttpConnection connection = slow.connect();
  connection.send(ride_request(new_key()).to_bytes());
  ASSERT_TRUE(eventually([&] { return database_.count("rides") == 1; }));
  connection.send(get_request("/healthz").to_bytes());
  EXPECT_EQ(connection.receive().status, 201);
  EXPECT_EQ(connection.receive().status, 200);
}

TEST_F(ConnectionsSpec, AnswerMorePipelinedRequestsThanTheyBuffer) {
  constexpr int kRequests = 3000;
  std::string bytes;
  for (int i = 0; i < kRequests; ++i) bytes += get_request("/healthz").to_bytes();
  std::thread sender([&] { connection_.send(bytes); });
  int answered = 0;
  for (int i = 0; i < kRequests; ++i) {
    if (connection_.receive().status == 200) ++answered;
  }
  sender.join();
  EXPECT_EQ(answered, kRequests);
}

TEST_F(ConnectionsSpec, AnswerOthersBetweenPipelinedRequests) {
  HttpConnection other = api_.connect();
  EXPECT_EQ(other.exchange(get_request("/healthz")).status, 200);
  EXPECT_EQ(connection_.exchange(get_request("/healthz")).status, 200);
  // The api is stopped until both clients have sent.
  siginfo_t stopped{};
  api_.process().kill(SIGSTOP);
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(api_.process().pid()), &stopped, WSTOPPED | WNOWAIT), 0);
  constexpr int kRequests = 50;
  std::string bytes;
  for (int i = 1; i <= kRequests; ++i) {
    const std::string id = i == kRequests ? "last-of-many" : "one-of-many";
    bytes += get_request("/healthz").with("X-Request-Id", id).to_bytes();
  }
  connection_.send(bytes);
  other.send(get_request("/healthz").with("X-Request-Id", "the-other").to_bytes());
  api_.process().kill(SIGCONT);
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(connection_.receive().status, 200);
  EXPECT_EQ(other.receive().status, 200);
  api_.process().wait_for_line("last-of-many");
  const std::string log = api_.process().output();
  EXPECT_LT(log.find("the-other"), log.find("last-of-many"));
}

TEST_F(ConnectionsSpec, NeverAnswerWhatComesAfterAClose) {
  connection_.send(get_request("/healthz").with("Connection", "close").to_bytes() +
                   ride_request(new_key()).to_bytes());
  EXPECT_EQ(connection_.receive().status, 200);
  EXPECT_TRUE(connection_.ends());
  EXPECT_EQ(database_.count("idempotency_keys"), 0);
}

}  // namespace
}  // namespace rocket::spec
