#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "spec/integration/connections_fixture.h"
#include "spec/support/api_process.h"
#include "spec/support/eventually.h"
#include "spec/support/http_client.h"
#include "spec/support/requests.h"

// How long connections to the api stay open, and what comes over them.
namespace rocket::spec {
namespace {

TEST_F(ConnectionsSpec, StayOpen) {
  for (int i = 0; i < 3; ++i) {
    const auto response = connection_.exchange(ride_request(new_key()));
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(response.count("connection"), 0U);
  }
}

TEST_F(ConnectionsSpec, StayOpenAfterAFailure) {
  EXPECT_EQ(connection_.exchange(get_request("/nothing")).status, 404);
  EXPECT_EQ(connection_.exchange(ride_request("short")).status, 400);
  EXPECT_EQ(connection_.exchange(get_request("/account")).status, 200);
}

TEST_F(ConnectionsSpec, CloseWhenAsked) {
  const auto response = connection_.exchange(ride_request(new_key()).with("Connection", "close"));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.header("connection"), "close");
  EXPECT_TRUE(connection_.ends());
}

TEST_F(ConnectionsSpec, OfHttp10CloseUnlessAsked) {
  const auto kept = answer_to("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(kept.status, 200);
  // Without this field, such a client waits for the end of the connection.
  EXPECT_EQ(kept.header("connection"), "keep-alive");
  const auto response = answer_to("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("connection"), "close");
  EXPECT_TRUE(connection_.ends());
}

TEST_F(ConnectionsSpec, TakeRequestsByteByByte) {
  // The api of the other tests has short time limits.
  const ApiProcess patient(database_);
  HttpConnection connection = patient.connect();
  for (const char byte : ride_request(new_key()).to_bytes()) connection.send({&byte, 1});
  EXPECT_EQ(connection.receive().status, 201);
}

TEST_F(ConnectionsSpec, AskForABodyThatIsHeldBack) {
  ClientRequest request = ride_request(new_key()).with("Expect", "100-continue");
  const std::string bytes = request.to_bytes();
  connection_.send(bytes.substr(0, bytes.size() - request.body.size()));
  const auto interim = connection_.receive();
  EXPECT_EQ(interim.status, 100);
  connection_.send(request.body);
  EXPECT_EQ(connection_.receive().status, 201);
}

TEST_F(ConnectionsSpec, AnswerHeadWithoutABody) {
  for (const char* target : {"/healthz", "/account", "/rides/1"}) {
    const auto get = connection_.exchange(get_request(target));
    ClientRequest request = get_request(target);
    request.method = "HEAD";
    const auto head = connection_.exchange(request);
    EXPECT_EQ(head.status, get.status);
    EXPECT_EQ(head.header("content-length"), get.header("content-length"));
    EXPECT_EQ(head.header("content-type"), get.header("content-type"));
    EXPECT_TRUE(head.body.empty());
  }
  // No body came after the heads.
  EXPECT_EQ(connection_.exchange(get_request("/healthz")).status, 200);
}

TEST_F(ConnectionsSpec, AreNotKeptOpenByTricklingBytes) {
  // Each byte comes in time, but the request does not.
  const std::string bytes = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + std::string(200, 'x');
  std::size_t sent = 0;
  while (sent < bytes.size() && !connection_.has_input(std::chrono::milliseconds(50))) {
    connection_.send(bytes.substr(sent++, 1));
  }
  EXPECT_LT(sent, bytes.size());
  EXPECT_EQ(connection_.receive().status, 408);
}

TEST_F(ConnectionsSpec, AreNotKeptOpenByEmptyLines) {
  int sent = 0;
  while (sent < 100 && !connection_.has_input(std::chrono::milliseconds(50))) {
    connection_.send("\r\n");
    ++sent;
  }
  EXPECT_LT(sent, 100);
}

TEST_F(ConnectionsSpec, OfASilentClientEnd) { EXPECT_TRUE(connection_.ends()); }

TEST(IdleConnections, EndWithoutAnAnswer) {
  TestDatabase database;
  const ApiProcess api(database, {{"API_IDLE_TIMEOUT_MS", "200"}});
  HttpConnection connection = api.connect();
  EXPECT_EQ(connection.exchange(get_request("/healthz")).status, 200);
  EXPECT_TRUE(connection.ends());
}

TEST_F(ConnectionsSpec, OutliveTheTimeTheirAnswerTakes) {
  // The time that the api works on a request does not count against its client.
  const ApiProcess slow(
      database_,
      {{"API_REQUEST_TIMEOUT_MS", "100"}, {"API_IDLE_TIMEOUT_MS", "100"}, {"MOCK_LATENCY_MS", "1000"}});
  EXPECT_EQ(slow.send(ride_request(new_key())).status, 201);
}

TEST_F(ConnectionsSpec, AnswerAClientThatSendsNoMore) {
  connection_.send(ride_request(new_key()).to_bytes());
  connection_.end_sending();
  EXPECT_EQ(connection_.receive().status, 201);
  EXPECT_TRUE(connection_.ends());
}

TEST_F(ConnectionsSpec, FinishTheRequestOfAClientThatLeft) {
  const std::string key = new_key();
  {
    HttpConnection leaving = api_.connect();
    leaving.send(ride_request(key).to_bytes());
    ASSERT_TRUE(eventually([&] { return database_.count("idempotency_keys") == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return database_.of_key(key, "recovery_point") == "finished"; }));
}

// A new connection may get the descriptor number of an old one, but never its answer. The line is short, so
// that clients that leave do not delay the others. A refusal counts as an answer here.
TEST(HeavyConnections, NoAnswerReachesAStranger) {
  TestDatabase database;
  const ApiProcess api(database, {{"API_THREADS", "2"}, {"MOCK_LATENCY_MS", "5"}, {"API_LINE_LIMIT", "64"}});
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> answered{0};
  std::atomic<int> broken{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 6; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; !stop; ++i) {
        try {
          HttpConnection connection = api.connect();
          for (int j = 0; j < 5; ++j) {
            const std::string id = std::to_string(c) + "-" + std::to_string(i) + "-" + std::to_string(j);
            const auto request = j % 2 == 0 ? ride_request(new_key()) : get_request("/account");
            const auto response = connection.exchange(request.with("X-Request-Id", id));
            if (response.header("x-request-id") != id) ++wrong;
            ++answered;
          }
        } catch (const std::exception& error) {
          if (++broken == 1) std::cerr << error.what() << '\n';
        }
      }
    });
    clients.emplace_back([&, c] {
      std::minstd_rand random(static_cast<unsigned>(c));
      while (!stop) {
        try {
          HttpConnection connection = api.connect();
          connection.send(ride_request(new_key()).with("X-Request-Id", "left").to_bytes());
          std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
          connection.reset();
        } catch (const std::exception&) {
          // An error does not matter: this client leaves anyway.
        }
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return answered >= 3000 || broken > 0; }, std::chrono::seconds(90)));
  stop = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(broken, 0);
}

}  // namespace
}  // namespace rocket::spec
