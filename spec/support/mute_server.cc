#include "spec/support/mute_server.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/use_awaitable.hpp>
#include <utility>

namespace rocket::spec {

MuteServer::MuteServer(Manner manner)
    : manner_(manner), acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
  asio::co_spawn(context_, accept(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

MuteServer::~MuteServer() {
  context_.stop();
  thread_.join();
}

std::vector<std::chrono::steady_clock::time_point> MuteServer::arrivals() const {
  const std::lock_guard lock(mutex_);
  return arrivals_;
}

asio::awaitable<void> MuteServer::accept() {
  for (;;) {
    asio::ip::tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
    if (manner_ == Manner::kSaysNothing) kept_.push_back(std::move(client));
    const std::lock_guard lock(mutex_);
    arrivals_.push_back(std::chrono::steady_clock::now());
  }
}

}  // namespace rocket::spec
