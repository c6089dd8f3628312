#include "spec/support/hostile_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <thread>
#include <vector>

#include "spec/support/http_client.h"
#include "spec/support/requests.h"

namespace rocket::spec {
namespace {

using namespace std::string_literals;

std::string own_ride() { return ride_request(new_key(), kUser, own_coordinates().form).to_bytes(); }
std::string question() { return get_request("/idempotency-keys/" + new_key()).to_bytes(); }
std::string with_fields(const std::string& fields) {
  return "GET /account HTTP/1.1\r\nHost: localhost\r\nAuthorization: "s + kUser + "\r\n" + fields + "\r\n";
}

}  // namespace

// Resets a finished connection, so that it does not stay in TIME_WAIT: the machine can hold only a limited
// number.

int HostileClient::dribble() {
  const std::string bytes = own_ride();
  HttpConnection connection(port_);
  for (std::size_t i = 0; i < bytes.size(); ++i) connection.send(bytes.substr(i, 1));
  EXPECT_EQ(connection.receive().status, 201);
  connection.reset();
  return 1;
}

int HostileClient::half_close() {
  HttpConnection connection(port_);
  connection.send(own_ride());
  connection.end_sending();
  EXPECT_EQ(connection.receive().status, 201);
  EXPECT_TRUE(connection.ends());
  return 1;
}

int HostileClient::vanish() {
  const std::string ride = own_ride();
  const std::vector<std::string> choice{ride.substr(0, up_to(static_cast<unsigned>(ride.size()))), question(),
                                        ride + question() + ride, ride, ride};
  try {
    HttpConnection connection(port_);
    connection.send(choice[up_to(4)]);
    std::this_thread::sleep_for(std::chrono::microseconds(up_to(4000)));
    connection.reset();
  } catch (const std::exception&) {
    // An error does not matter here: this client leaves anyway.
  }
  return 1;
}

int HostileClient::pipeline() {
  constexpr int kRequests = 8;
  std::string bytes;
  for (int i = 0; i < kRequests; i += 2) {
    const ClientRequest slow = ride_request(new_key(), kUser, own_coordinates().form);
    bytes += slow.with("X-Request-Id", std::to_string(i)).to_bytes();
    bytes += get_request("/healthz").with("X-Request-Id", std::to_string(i + 1)).to_bytes();
  }
  HttpConnection connection(port_);
  connection.send(bytes);
  for (int i = 0; i < kRequests; ++i) {
    const ClientResponse answer = connection.receive();
    EXPECT_EQ(answer.header("x-request-id"), std::to_string(i));
    EXPECT_EQ(answer.status, i % 2 == 0 ? 201 : 200) << answer.body;
  }
  connection.reset();
  return kRequests;
}

int HostileClient::fall_silent() {
  constexpr int kConnections = 20;
  std::vector<HttpConnection> connections;
  for (int i = 0; i < kConnections; ++i) {
    const std::string ride = own_ride();
    connections.emplace_back(port_);
    connections.back().send(ride.substr(0, 1 + up_to(static_cast<unsigned>(ride.size()) - 2)));
  }
  for (HttpConnection& each : connections) {
    EXPECT_EQ(each.receive().status, 408);
    EXPECT_TRUE(each.ends());
    each.reset();
  }
  return kConnections;
}

int HostileClient::send_random_bytes() {
  std::string bytes(1 + up_to(3000), '\0');
  for (char& byte : bytes) byte = static_cast<char>(up_to(255));
  // Ends the head with an empty line, so that the server has a request to refuse.
  return expect_refused("x" + bytes + "\r\n\r\n", 400);
}

int HostileClient::send_an_oversize_body() {
  ClientRequest request = ride_request(new_key());
  request.body = std::string(70'000 + up_to(500'000), 'x');
  return expect_refused(request.to_bytes(), 413);
}

int HostileClient::send_an_oversize_head() {
  return expect_refused(with_fields("X-Large: " + std::string(20'000 + up_to(80'000), 'x') + "\r\n"), 431);
}

int HostileClient::send_a_thousand_fields() {
  std::string fields;
  for (int i = 0; i < 1000; ++i) fields += "X: y\r\n";
  return expect_refused(with_fields(fields), 431);
}

int HostileClient::send_ambiguous_lengths() {
  const std::vector<std::string> choice{"Content-Length: 5\r\nContent-Length: 6\r\n",
                                        "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n",
                                        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"};
  return expect_refused(with_fields(choice[up_to(3)]) + "0\r\n\r\n" + own_ride(), 400);
}

int HostileClient::send_what_is_no_text() {
  const std::string key = new_key();
  const std::vector<ClientRequest> choice{
      ride_request(key, kUser, "origin_lat=\0\xff&origin_lon=\xc3\x28"s),
      ride_request(key, kUser, "origin_lat=%00&origin_lon=%ff%fe&target_lat=1&target_lon=2"),
      ride_request(key + "\xff\xfe"),
      ride_request(key, "user\xc3\x28@example.com"),
      ride_request(key + '\0'),
      get_request("/rides/%00%ff"),
      get_request("/rides/\xff"),
      get_request("/idempotency-keys/%c3%28%00"),
  };
  HttpConnection connection(port_);
  const ClientResponse answer = connection.exchange(choice[up_to(7)]);
  EXPECT_THAT(answer.status, testing::AnyOf(400, 401, 404)) << answer.body;
  EXPECT_NE(answer.code(), "") << answer.body;
  connection.reset();
  return 1;
}

int HostileClient::expect_refused(const std::string& bytes, int status) {
  HttpConnection connection(port_);
  connection.send(bytes);
  const ClientResponse answer = connection.receive();
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_NE(answer.code(), "") << answer.body;
  EXPECT_TRUE(connection.ends());
  connection.reset();
  return 1;
}

}  // namespace rocket::spec
