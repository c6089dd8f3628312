#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "rocket/base/log.h"
#include "rocket/base/settings.h"
#include "rocket/metrics/registry.h"

namespace rocket::metrics {

struct ExposerOptions {
  std::string address = "127.0.0.1";
  // 0: metrics are not served.
  std::int64_t port = 0;

  // Adds --metrics-port and --metrics-bind. The process's own variables, such as API_METRICS_PORT, come
  // before METRICS_PORT and METRICS_BIND, because one environment may be shared by all processes.
  void add_to(Settings& settings);
  // Whether metrics are served where other machines can reach them.
  bool is_public() const;
};

// Serves a registry at /metrics over HTTP, on a thread of its own.
//
// A scraper that is slow or silent holds up nobody: there is a time limit for each connection, and when all
// places are taken, a new connection gets the place of the oldest one.
class Exposer {
 public:
  // Connections at once, and the descriptors that the exposer opens at most.
  static constexpr std::size_t kMaxConnections = 16;
  static constexpr std::size_t kMaxDescriptors = kMaxConnections + 8;

  // `registry` must outlive the exposer. Throws std::system_error if the address cannot be bound.
  Exposer(const ExposerOptions& options, const Registry& registry);
  // Ends at once, also while scrapers are served.
  ~Exposer();
  Exposer(const Exposer&) = delete;
  Exposer& operator=(const Exposer&) = delete;

 private:
  using Socket = asio::ip::tcp::socket;

  asio::awaitable<void> accept();
  asio::awaitable<void> serve(std::shared_ptr<Socket> socket);
  std::string answer_to(std::string_view request) const;

  const Registry& registry_;
  asio::io_context context_{1};
  asio::ip::tcp::acceptor acceptor_;
  // The oldest comes first.
  std::list<std::shared_ptr<Socket>> sockets_;
  std::thread thread_;
};

// Starts to serve the registry, and says so in the log. Returns null if it is off, or if the address cannot
// be bound; then the log has a warning, and the process works on without.
std::unique_ptr<Exposer> expose(const ExposerOptions& options, const Registry& registry, const Log& log);

}  // namespace rocket::metrics
