// A payment provider for specs and benches. It speaks the part of Stripe's API that the gateway uses, and
// keeps its ledger in its memory. POST /test/faults plans its faults. GET /test/ledger returns what happened.

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cstdlib>
#include <cxxopts.hpp>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "spec/support/provider/faults.h"
#include "spec/support/provider/http.h"
#include "spec/support/provider/stripe_api.h"

namespace rocket::spec::provider {
namespace {

using asio::ip::tcp;
using Tls = asio::ssl::stream<tcp::socket>;

struct Provider {
  StripeApi api;
  Faults faults;
  // The delay of every answer without a fault.
  std::chrono::milliseconds latency{0};
  int connections = 0;
  int calls = 0;
  // The header traceparent of each call; empty where there was none.
  nlohmann::json traceparents = nlohmann::json::array();
};

struct Reply {
  // The bytes to send after the delay.
  std::string bytes;
  std::chrono::milliseconds delay{0};
  bool then_break = false;
  bool then_wait = false;
};

Response page() { return {200, {{"Content-Type", "text/html"}}, "<html>Service unavailable</html>"}; }

Response error_of(const Fault& fault) {
  Response response{fault.status, {}, R"({"error":{"type":")" + fault.type + R"(","message":"scripted"}})"};
  if (!fault.retry_after.empty()) response.headers["Retry-After"] = fault.retry_after;
  if (!fault.should_retry.empty()) response.headers["Stripe-Should-Retry"] = fault.should_retry;
  return response;
}

Reply reply_with(Provider& provider, const Fault& fault, const Request& request) {
  Response response;
  if (fault.charged || fault.kind == "slow") response = provider.api.begin(request);
  const std::string honest = response.to_bytes();
  if (fault.kind == "status") response = error_of(fault);
  if (fault.kind == "page") response = page();
  if (fault.kind == "other") response = {200, {}, StripeApi::foreign_charge().dump()};
  if (fault.stored) provider.api.remember(request, response);

  Reply reply{response.to_bytes(), fault.delay};
  if (fault.kind == "silence") reply = {"", fault.delay, false, true};
  if (fault.kind == "reset") reply = {"", fault.delay, true};
  if (fault.kind == "garbage") reply = {"\x16\x03\x01 certainly not HTTP\r\n\r\n", fault.delay, true};
  if (fault.kind == "cut") reply = {honest.substr(0, honest.size() / 2), fault.delay, true};
  if (fault.kind == "twice") reply.bytes = honest + honest;
  return reply;
}

Reply test_reply(Provider& provider, const Request& request) {
  if (request.path == "/test/ledger") {
    nlohmann::json ledger = provider.api.ledger();
    ledger["connections"] = provider.connections;
    ledger["calls"] = provider.calls;
    ledger["traceparents"] = provider.traceparents;
    return {Response{200, {}, ledger.dump()}.to_bytes()};
  }
  if (request.path == "/test/faults") {
    provider.faults.plan(request.fields);
  } else if (request.path == "/test/heal") {
    provider.faults.clear();
  } else if (request.path == "/test/forget") {
    provider.api.forget_keys();
  } else if (request.path == "/test/latency") {
    provider.latency = std::chrono::milliseconds(std::stoi(request.field("ms")));
  } else {
    return {Response{404, {}, ""}.to_bytes()};
  }
  return {Response{}.to_bytes()};
}

asio::awaitable<void> sleep(std::chrono::milliseconds duration) {
  if (duration == std::chrono::milliseconds::zero()) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

tcp::socket& lowest(tcp::socket& socket) { return socket; }
tcp::socket& lowest(Tls& stream) { return stream.next_layer(); }

// Answers requests until the client leaves.
template <typename Stream>
asio::awaitable<void> converse(Provider& provider, Stream& stream) {
  std::string input;
  for (;;) {
    const std::size_t end =
        co_await asio::async_read_until(stream, asio::dynamic_buffer(input), "\r\n\r\n", asio::use_awaitable);
    std::size_t length = 0;
    Request request = read_head(std::string_view(input).substr(0, end), length);
    if (input.size() < end + length) {
      const std::size_t missing = end + length - input.size();
      co_await asio::async_read(stream, asio::dynamic_buffer(input), asio::transfer_exactly(missing),
                                asio::use_awaitable);
    }
    if (length > 0) request.fields = read_form(std::string_view(input).substr(end, length));
    input.erase(0, end + length);

    const bool of_test = request.path.starts_with("/test/");
    Reply reply;
    if (of_test) {
      reply = test_reply(provider, request);
    } else {
      ++provider.calls;
      provider.traceparents.push_back(request.header("traceparent"));
      const std::optional<Fault> fault = provider.faults.next();
      reply = fault ? reply_with(provider, *fault, request)
                    : Reply{provider.api.begin(request).to_bytes(), provider.latency};
    }
    co_await sleep(reply.delay);
    if (!of_test) provider.api.done(request);
    if (reply.then_wait) co_await sleep(std::chrono::hours(1));
    co_await asio::async_write(stream, asio::buffer(reply.bytes), asio::use_awaitable);
    if (reply.then_break) {
      lowest(stream).set_option(asio::socket_base::linger(true, 0));
      co_return;
    }
  }
}

asio::awaitable<void> serve(Provider& provider, tcp::socket socket, asio::ssl::context* tls) {
  ++provider.connections;
  try {
    socket.set_option(tcp::no_delay(true));
    if (tls == nullptr) {
      co_await converse(provider, socket);
    } else {
      Tls stream(std::move(socket), *tls);
      co_await stream.async_handshake(Tls::server, asio::use_awaitable);
      co_await converse(provider, stream);
    }
  } catch (const std::exception&) {
    // The client left, or sent something wrong. In both cases, close the connection.
  }
}

asio::awaitable<void> accept(Provider& provider, tcp::acceptor& acceptor, asio::ssl::context* tls) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(provider, std::move(socket), tls), asio::detached);
  }
}

void run(int argc, char** argv) {
  cxxopts::Options options("payment_provider", "a payment provider for specs and benches");
  options.add_options()("port", "", cxxopts::value<std::uint16_t>()->default_value("0"))(
      "api-key", "", cxxopts::value<std::string>()->default_value("sk_test_of_specs"))(
      "latency", "ms", cxxopts::value<int>()->default_value("0"))(
      "certificate", "speak TLS", cxxopts::value<std::string>())("private-key", "",
                                                                 cxxopts::value<std::string>());
  const auto flags = options.parse(argc, argv);
  Provider provider{StripeApi(flags["api-key"].as<std::string>()),
                    {},
                    std::chrono::milliseconds(flags["latency"].as<int>())};
  asio::io_context context{1};
  std::optional<asio::ssl::context> tls;
  if (flags.count("certificate") > 0) {
    tls.emplace(asio::ssl::context::tls_server);
    tls->use_certificate_chain_file(flags["certificate"].as<std::string>());
    tls->use_private_key_file(flags["private-key"].as<std::string>(), asio::ssl::context::pem);
  }
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), flags["port"].as<std::uint16_t>()});
  std::cout << "listening port=" << acceptor.local_endpoint().port() << std::endl;
  asio::co_spawn(context, accept(provider, acceptor, tls ? &*tls : nullptr), asio::detached);
  context.run();
}

}  // namespace
}  // namespace rocket::spec::provider

int main(int argc, char** argv) {
  try {
    rocket::spec::provider::run(argc, argv);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "payment_provider: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
