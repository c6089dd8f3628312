#include "rocket/pg/host_names.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "rocket/pg/errors.h"

namespace rocket::pg {
namespace {

struct Found {
  std::vector<std::string> addresses;
  std::string mistake;
};

Found look_up(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &first);
  if (error != 0) return {{}, ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(first, &::freeaddrinfo);
  Found found;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    std::array<char, NI_MAXHOST> address{};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, address.data(), address.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      found.addresses.emplace_back(address.data());
    }
  }
  if (found.addresses.empty()) found.mistake = "it has no address";
  return found;
}

}  // namespace

// Shared by its thread and by those who wait for it. It lives until the last of them is done.
class HostNames::LookUp {
 public:
  LookUp() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (event_ < 0) throw Unavailable(std::generic_category().message(errno));
  }
  ~LookUp() { ::close(event_); }
  LookUp(const LookUp&) = delete;
  LookUp& operator=(const LookUp&) = delete;

  // Call it once.
  void end(Found found) {
    {
      const std::lock_guard lock(mutex_);
      found_ = std::move(found);
      is_over_ = true;
    }
    // The event stays readable for all who wait.
    ::eventfd_write(event_, 1);
  }

  bool is_over() {
    const std::lock_guard lock(mutex_);
    return is_over_;
  }

  Found found() {
    const std::lock_guard lock(mutex_);
    return found_;
  }

  // Returns a duplicate of the descriptor, to wait on.
  int event() const {
    const int own = ::fcntl(event_, F_DUPFD_CLOEXEC, 0);
    if (own < 0) throw Unavailable(std::generic_category().message(errno));
    return own;
  }

 private:
  int event_;
  std::mutex mutex_;
  bool is_over_ = false;
  Found found_;
};

std::shared_ptr<HostNames::LookUp> HostNames::under_way(const std::string& host) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<LookUp>& known = look_ups_[host];
  if (auto running = known.lock()) return running;
  auto started = std::make_shared<LookUp>();
  try {
    std::thread([started, host] { started->end(look_up(host)); }).detach();
  } catch (const std::system_error& error) {
    throw Unavailable(error.what());
  }
  known = started;
  return started;
}

asio::awaitable<std::vector<std::string>> HostNames::addresses_of(
    std::string host, std::chrono::steady_clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const std::shared_ptr<LookUp> look_up = under_way(host);
  {
    asio::posix::stream_descriptor event(executor, look_up->event());
    asio::steady_timer late(executor, deadline);
    std::error_code ignored;
    std::error_code ignored_too;
    using asio::experimental::awaitable_operators::operator||;
    co_await (event.async_wait(asio::posix::stream_descriptor::wait_read,
                               asio::redirect_error(asio::use_awaitable, ignored)) ||
              late.async_wait(asio::redirect_error(asio::use_awaitable, ignored_too)));
  }
  if (!look_up->is_over()) throw Unavailable("no address of \"" + host + "\" in time");
  Found found = look_up->found();
  if (found.addresses.empty()) throw Unavailable("no address of \"" + host + "\": " + found.mistake);
  co_return std::move(found.addresses);
}

}  // namespace rocket::pg
