#include "rocket/metrics/exposer.h"

#include <algorithm>
#include <array>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/ip/address.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cctype>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "rocket/base/host.h"

namespace rocket::metrics {
namespace {

// For a whole scrape, from its connection to its end. Prometheus itself gives up after 10 seconds.
constexpr std::chrono::seconds kTimeLimit{5};
// How long it pauses when no descriptor is left.
constexpr std::chrono::milliseconds kPause{100};
constexpr std::size_t kMaxHead = 8192;

asio::ip::tcp::endpoint endpoint_of(const ExposerOptions& options) {
  return {asio::ip::make_address(options.address), static_cast<std::uint16_t>(options.port)};
}

std::string response(std::string_view status, std::string_view more_fields, const std::string& body,
                     bool with_body = true) {
  std::string bytes = "HTTP/1.1 ";
  bytes.append(status).append("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
  bytes.append(more_fields).append("Connection: close\r\nContent-Length: ");
  bytes.append(std::to_string(body.size())).append("\r\n\r\n");
  if (with_body) bytes += body;
  return bytes;
}

// Takes the text up to the next separator, and the separator.
std::string_view take(std::string_view& text, std::string_view separator) {
  const auto end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return part;
}

// Such as API_METRICS_PORT.
std::string own_variable(const std::string& process, const std::string& shared) {
  std::string name;
  for (const char each : process) {
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(each)));
  }
  return name + '_' + shared;
}

}  // namespace

void ExposerOptions::add_to(Settings& settings) {
  settings.add("metrics-port", {own_variable(settings.process(), "METRICS_PORT"), "METRICS_PORT"}, "",
               "port on which /metrics is served, for Prometheus; 0: it is not", port, 0, 65535);
  settings.add("metrics-bind", {own_variable(settings.process(), "METRICS_BIND"), "METRICS_BIND"},
               "address on which /metrics is served; it needs no credentials", address);
  settings.require([this]() -> std::optional<std::string> {
    std::error_code mistake;
    asio::ip::make_address(address, mistake);
    if (!mistake) return std::nullopt;
    return "METRICS_BIND must be an address, such as 127.0.0.1, 0.0.0.0, ::1";
  });
}

bool ExposerOptions::is_public() const { return port != 0 && !is_loopback(address); }

Exposer::Exposer(const ExposerOptions& options, const Registry& registry)
    : registry_(registry), acceptor_(context_, endpoint_of(options)) {
  asio::co_spawn(context_, accept(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

Exposer::~Exposer() {
  context_.stop();
  thread_.join();
}

asio::awaitable<void> Exposer::accept() {
  for (;;) {
    std::error_code failed;
    Socket accepted = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, failed));
    if (failed) {
      asio::steady_timer pause(context_, kPause);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    if (sockets_.size() == kMaxConnections) {
      std::error_code ignored;
      sockets_.front()->close(ignored);
      sockets_.pop_front();
    }
    sockets_.push_back(std::make_shared<Socket>(std::move(accepted)));
    asio::co_spawn(context_, serve(sockets_.back()), asio::detached);
  }
}

asio::awaitable<void> Exposer::serve(std::shared_ptr<Socket> socket) {
  asio::steady_timer limit(context_, kTimeLimit);
  limit.async_wait([socket](std::error_code cancelled) {
    std::error_code ignored;
    if (!cancelled) socket->close(ignored);
  });
  try {
    std::string request;
    co_await asio::async_read_until(*socket, asio::dynamic_buffer(request, kMaxHead), "\r\n\r\n",
                                    asio::use_awaitable);
    const std::string answer = answer_to(request);
    co_await asio::async_write(*socket, asio::buffer(answer), asio::use_awaitable);
    // Closing while something is unread would destroy the answer on its way.
    socket->shutdown(Socket::shutdown_send);
    std::array<char, 512> rest{};
    for (;;) {
      co_await socket->async_read_some(asio::buffer(rest), asio::use_awaitable);
    }
  } catch (const std::exception&) {
    // The scraper has gone, has sent no request, or was too slow.
  }
  sockets_.remove(socket);
}

std::string Exposer::answer_to(std::string_view request) const {
  std::string_view line = take(request, "\r\n");
  const std::string_view method = take(line, " ");
  const std::string_view target = take(line, " ");
  if (!line.starts_with("HTTP/1.")) return response("400 Bad Request", "", "This is no HTTP/1 request.\n");
  if (target.substr(0, target.find('?')) != "/metrics") {
    return response("404 Not Found", "", "Metrics are at /metrics.\n");
  }
  if (method != "GET" && method != "HEAD") {
    return response("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "Metrics can only be read.\n");
  }
  return response("200 OK", "", registry_.text(), method == "GET");
}

std::unique_ptr<Exposer> expose(const ExposerOptions& options, const Registry& registry, const Log& log) {
  if (options.port == 0) return nullptr;
  const std::string address = url_host(options.address);
  try {
    auto exposer = std::make_unique<Exposer>(options, registry);
    log.info("metrics", {{"address", address}, {"port", options.port}},
             "metrics are at http://{address}:{port}/metrics");
    return exposer;
  } catch (const std::system_error& error) {
    log.warn("no metrics", {{"address", address}, {"port", options.port}, {"error", error.what()}},
             "cannot serve metrics at {address}:{port}, so this process works without: {error}");
    return nullptr;
  }
}

}  // namespace rocket::metrics
