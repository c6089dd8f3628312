#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "spec/support/api_process.h"
#include "spec/support/payment_provider.h"
#include "spec/support/requests.h"
#include "spec/support/test_database.h"

// What a proxy sees that is set by environment variables.
namespace rocket::spec {
namespace {

using asio::ip::tcp;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A proxy that records each request head, and closes the connection.
class Proxy {
 public:
  Proxy() : acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this] { listen(); });
  }
  ~Proxy() {
    if (thread_.joinable()) heard();
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  // Stops listening, and returns all heads so far.
  std::string heard() {
    asio::io_context context;
    tcp::socket last(context);
    last.connect(acceptor_.local_endpoint());
    last.close();
    thread_.join();
    return heard_;
  }

 private:
  // Listens until a client connects and sends nothing.
  void listen() {
    for (;;) {
      tcp::socket socket = acceptor_.accept();
      std::string head;
      std::error_code error;
      asio::read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n", error);
      if (head.empty()) return;
      heard_ += head;
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::string heard_;
  std::thread thread_;
};

class ProxyOfTheEnvironment : public testing::Test {
 protected:
  // The status of a ride that is sent to an api with these variables.
  int ride(Environment environment) {
    environment.emplace("CHARGE_GATEWAY", "stripe");
    environment.emplace("STRIPE_API_KEY", PaymentProvider::kApiKey);
    environment.emplace("STRIPE_TOTAL_TIMEOUT_MS", "300");
    const ApiProcess api(database_, environment);
    return api.send(ride_request(new_key())).status;
  }

  TestDatabase database_;
  Proxy proxy_;
};

TEST_F(ProxyOfTheEnvironment, GetsNothingThatIsForThisMachine) {
  const PaymentProvider provider;
  EXPECT_EQ(
      ride({{"STRIPE_API_BASE", provider.url()}, {"http_proxy", proxy_.url()}, {"all_proxy", proxy_.url()}}),
      201);
  EXPECT_EQ(proxy_.heard(), "");
}

TEST_F(ProxyOfTheEnvironment, IsAskedForATunnel) {
  EXPECT_EQ(ride({{"STRIPE_API_BASE", "https://stripe.invalid"}, {"https_proxy", proxy_.url()}}), 503);
  EXPECT_THAT(proxy_.heard(),
              testing::AllOf(StartsWith("CONNECT stripe.invalid:443 HTTP/1.1\r\n"), Not(HasSubstr("Bearer")),
                             Not(HasSubstr(PaymentProvider::kApiKey))));
}

TEST_F(ProxyOfTheEnvironment, IsPassedByForHostsThatNeedNone) {
  EXPECT_EQ(ride({{"STRIPE_API_BASE", "https://stripe.invalid"},
                  {"https_proxy", proxy_.url()},
                  {"no_proxy", "example.com,.invalid"}}),
            503);
  EXPECT_EQ(proxy_.heard(), "");
}

}  // namespace
}  // namespace rocket::spec
