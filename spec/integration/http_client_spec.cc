#include "rocket/http/client.h"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <future>
#include <string>
#include <variant>

#include "rocket/http/library.h"

namespace rocket::spec {
namespace {

using Result = std::variant<http::Answer, http::Silence>;

// A server whose every step is called by the test. Serves one connection after another.
class PacedServer {
 public:
  PacedServer() : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}), connection_(context_) {}

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/";
  }
  // Closes the previous connection, and blocks until a new one has come.
  void accept() {
    connection_.close();
    acceptor_.accept(connection_);
  }
  // Blocks until a whole request has come.
  void receive() {
    std::string request;
    asio::read_until(connection_, asio::dynamic_buffer(request), "\r\n\r\n");
  }
  void answer() {
    asio::write(connection_, asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  asio::ip::tcp::socket connection_;
};

class HttpClient : public testing::Test {
 protected:
  std::future<Result> begin(const std::string& url) {
    http::Call call;
    call.url = url;
    call.connect_timeout = std::chrono::seconds(20);
    call.timeout = std::chrono::seconds(20);
    return asio::co_spawn(context_, http::send(call), asio::use_future);
  }
  // Runs the calls until `ready` is ready.
  template <typename Value>
  Value run_until(std::future<Value> ready) {
    while (ready.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      context_.restart();
      context_.run_for(std::chrono::milliseconds(1));
    }
    return ready.get();
  }

  http::Library library_;
  asio::io_context context_{1};
};

// libcurl closes the dead connection inside the event that reported its end, and opens a new one, which gets
// the same descriptor number.
TEST_F(HttpClient, SendsACallAgainWhenItsOldConnectionTurnsOutToBeDead) {
  PacedServer server;
  std::future<Result> first = begin(server.url());
  run_until(std::async(std::launch::async, [&] {
    server.accept();
    server.receive();
    server.answer();
  }));
  ASSERT_EQ(std::get<http::Answer>(run_until(std::move(first))).status, 200);

  for (int i = 0; i < 3; ++i) {
    std::future<Result> again = begin(server.url());
    run_until(std::async(std::launch::async, [&] {
      server.receive();
      server.accept();
      server.receive();
      server.answer();
    }));
    const Result result = run_until(std::move(again));
    ASSERT_TRUE(std::holds_alternative<http::Answer>(result)) << std::get<http::Silence>(result).reason;
  }
}

}  // namespace
}  // namespace rocket::spec
