#include "api/server.h"

#include <fcntl.h>
#include <pistache/peer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace rocket::api {
namespace {

void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The kernel gives the lowest free descriptor, so the next one tells how many are open.
std::size_t descriptors_in_use() {
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (next < 0) return 0;
  ::close(next);
  return static_cast<std::size_t>(next);
}

std::size_t connections_allowed(const ServerOptions& options) {
  // Descriptors that are opened later: sessions of the database, reactor threads, files that are open for a
  // moment.
  const std::size_t opened_later = 24 + 8 * options.threads + options.other_descriptors;
  // Each call has a socket, and a second one that was kept open for the next call or looks up a name.
  constexpr std::size_t kForACall = 2;
  const std::size_t wanted = options.connections.max_connections;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const std::size_t taken = descriptors_in_use() + opened_later;
  const std::size_t left = limit.rlim_cur > taken ? limit.rlim_cur - taken : 0;
  // A connection has one request at a time, so it has one call at most.
  const std::size_t calls = std::min(left / (1 + kForACall), options.calls_at_once);
  return std::clamp(left - calls * kForACall, std::size_t{1}, std::max(wanted, std::size_t{1}));
}

}  // namespace

Server::Server(const ServerOptions& options, RequestHandler on_request, RefusalRenderer render)
    : state_(std::make_shared<TransportState>()),
      max_connections_(0),
      acceptor_(options.address, options.port) {
  allow_many_descriptors();
  ConnectionLimits limits = options.connections;
  limits.max_connections = max_connections_ = connections_allowed(options);
  reactor_.init(Pistache::Aio::AsyncContext(options.threads));
  const auto key = reactor_.addHandler(
      std::make_shared<Transport>(options.transport, std::move(on_request), std::move(render), state_));
  reactor_.run();
  acceptor_.start(limits, options.proxies,
                  [transports = reactor_.handlers(key)](const std::shared_ptr<ClientPeer>& peer) {
                    const auto chosen = static_cast<std::size_t>(peer->fd()) % transports.size();
                    std::static_pointer_cast<Transport>(transports[chosen])->handleNewPeer(peer);
                  });
}

Server::~Server() {
  acceptor_.stop();
  reactor_.shutdown();
}

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
