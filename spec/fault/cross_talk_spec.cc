#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "spec/support/api_process.h"
#include "spec/support/requests.h"

// An answer must never reach a stranger who was given the same file descriptor number.
namespace rocket::spec {
namespace {

std::atomic<std::uint64_t> next_request{1};

// Coordinates that no other request has, so that a ride tells whose it is.
std::string own_form(std::uint64_t n) {
  return "origin_lat=" + std::to_string(static_cast<double>(n % 80'000) / 1000) +
         "&origin_lon=" + std::to_string(static_cast<double>(n / 80'000)) + "&target_lat=1&target_lon=2";
}

// A client that asks one thing after another on one connection, and looks closely at each answer.
class WellBehaved {
 public:
  WellBehaved(const ApiProcess& api, std::atomic<std::int64_t>& answered)
      : connection_(api.connect()), answered_(answered) {}

  // A ride, then the same questions about it that a client would ask who doubts.
  void ride() {
    const std::uint64_t n = next_request++;
    const std::string key = new_key();
    const auto created = exchange(ride_request(key, kUser, own_form(n)), 201).at("ride");
    EXPECT_DOUBLE_EQ(created.at("origin_lat").get<double>(), static_cast<double>(n % 80'000) / 1000);
    EXPECT_DOUBLE_EQ(created.at("origin_lon").get<double>(), static_cast<double>(n / 80'000));
    const auto progress = exchange(get_request("/idempotency-keys/" + key), 200).at("idempotency_key");
    EXPECT_EQ(progress.at("key"), key);
    EXPECT_EQ(progress.at("response").at("body").at("ride"), created);
    const auto again = exchange(get_request("/rides/" + created.at("id").dump()), 200).at("ride");
    for (const auto& [name, value] : created.items()) EXPECT_EQ(again.at(name), value) << name;
    const std::string unknown = new_key();
    exchange(get_request("/idempotency-keys/" + unknown), 404);
  }

 private:
  nlohmann::json exchange(const ClientRequest& request, int status) {
    const std::string id = "well-behaved-" + std::to_string(next_request++);
    const ClientResponse answer = connection_.exchange(request.with("X-Request-Id", id));
    EXPECT_EQ(answer.header("x-request-id"), id) << "somebody else's answer: " << answer.body;
    EXPECT_EQ(answer.status, status) << answer.body;
    ++answered_;
    return nlohmann::json::parse(answer.body);
  }

  HttpConnection connection_;
  std::atomic<std::int64_t>& answered_;
};

// Connects, sends some of a request, all of it, or more, and vanishes at some moment with a reset.
class Abrupt {
 public:
  Abrupt(std::uint16_t port, unsigned seed) : port_(port), random_(seed) {}

  void visit() {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(descriptor, 0);
    const linger at_once{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      const std::string bytes = some_bytes();
      [[maybe_unused]] const auto size = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      std::this_thread::sleep_for(std::chrono::microseconds(up_to(4000)));
    }
    ::close(descriptor);
  }

 private:
  unsigned up_to(unsigned most) { return static_cast<unsigned>(random_()) % (most + 1); }

  std::string some_bytes() {
    const std::string ride = ride_request(new_key(), kUser, own_form(next_request++)).to_bytes();
    const std::string question = get_request("/idempotency-keys/" + new_key()).to_bytes();
    switch (up_to(4)) {
      case 0:
        return ride.substr(0, up_to(static_cast<unsigned>(ride.size())));
      case 1:
        return question;
      case 2:
        return ride + question + ride;
      default:
        return ride;
    }
  }

  std::uint16_t port_;
  std::minstd_rand random_;
};

class CrossTalk : public testing::TestWithParam<std::string> {};

TEST_P(CrossTalk, EveryClientGetsItsOwnAnswers) {
  constexpr std::int64_t kAnswers = 15'000;
  constexpr std::int64_t kVisits = 6'000;
  constexpr unsigned kClientsOfEachKind = 12;
  TestDatabase database;
  ApiProcess api(database, {{"MOCK_LATENCY_MS", "1"}, {"API_THREADS", GetParam()}});
  std::atomic<std::int64_t> answered{0};
  std::atomic<std::int64_t> visits{0};
  const auto enough = [&] {
    return testing::Test::HasFailure() || (answered >= kAnswers && visits >= kVisits);
  };

  std::vector<std::thread> clients;
  for (unsigned i = 0; i < kClientsOfEachKind; ++i) {
    clients.emplace_back([&] {
      try {
        WellBehaved client(api, answered);
        while (!enough()) client.ride();
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what();
      }
    });
    clients.emplace_back([&, i] {
      Abrupt client(api.port(), i + 1);
      while (!enough()) {
        // Visitors wait for no answer, so that unpaced they would only fill the line.
        while (visits * 2 > answered + 100 && !enough())
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        client.visit();
        ++visits;
      }
    });
  }
  for (auto& each : clients) each.join();

  EXPECT_GE(answered + visits, kAnswers + kVisits);
  EXPECT_TRUE(api.process().running()) << api.process().output();
  // Its own word for it: nothing of the visitors is left.
  EXPECT_EQ(api.send(get_request("/readyz")).status, 200);
}

INSTANTIATE_TEST_SUITE_P(WithReactors, CrossTalk, testing::Values("1", "2"));

}  // namespace
}  // namespace rocket::spec
