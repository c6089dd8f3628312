#include "api/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

namespace rocket::api {
namespace {

constexpr int kBacklog = 4096;

// Pistache ends the process when it has no descriptor left for a new connection.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::size_t connections_allowed(const ServerOptions& options) {
  constexpr std::size_t kKeptForOthers = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return options.transport.most_connections;
  const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
  const auto usable = descriptors > 2 * kKeptForOthers ? descriptors - kKeptForOthers : descriptors / 2;
  return std::min(options.transport.most_connections, usable) / options.threads;
}

}  // namespace

Server::Server(const ServerOptions& options, RequestHandler on_request, RefusalRenderer render)
    : state_(std::make_shared<TransportState>()) {
  allow_many_descriptors();
  TransportOptions transport = options.transport;
  transport.most_connections = connections_allowed(options);
  Pistache::Flags<Pistache::Tcp::Options> socket_options(Pistache::Tcp::Options::ReuseAddr);
  socket_options.setFlag(Pistache::Tcp::Options::NoDelay).setFlag(Pistache::Tcp::Options::CloseOnExec);
  listener_.init(options.threads, socket_options, "", kBacklog);
  auto prototype = std::make_shared<Transport>(transport, std::move(on_request), std::move(render), state_);
  listener_.setTransportFactory([prototype = std::move(prototype)] { return prototype; });
  try {
    listener_.bind(Pistache::Address(options.address, Pistache::Port(options.port)));
  } catch (const std::exception& error) {
    throw std::runtime_error("cannot listen on " + options.address + ":" + std::to_string(options.port) +
                             ": " + error.what());
  }
  listener_.runThreaded();
}

Server::~Server() { listener_.shutdown(); }

std::uint16_t Server::port() const { return static_cast<std::uint16_t>(listener_.getPort()); }

bool Server::drain(std::chrono::milliseconds time_limit) {
  state_->draining = true;
  const auto end = std::chrono::steady_clock::now() + time_limit;
  while (state_->unfinished.load() > 0) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace rocket::api
