#include "rocket/http/client.h"

#include <curl/curl.h>

#include <asio/any_io_executor.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include "rocket/http/transfer.h"

namespace rocket::http {
namespace {

using Descriptor = asio::posix::stream_descriptor;

// Idle connections beyond this number are closed.
constexpr long kMaxConnectionsKept = 512;

struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

// libcurl's transfers of one execution context, which drives them: see
// https://curl.se/libcurl/c/curl_multi_socket_action.html. This is a service of the context, so it is
// destroyed with the context, and so are the coroutines that wait here.
class Transfers : public asio::execution_context::service {
 public:
  using key_type = Transfers;
  static inline asio::execution_context::id id;

  explicit Transfers(asio::execution_context& context) : service(context), multi_(curl_multi_init()) {
    if (!multi_) throw std::bad_alloc();
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, &Transfers::on_socket);
    curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, &Transfers::on_timer);
    curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kMaxConnectionsKept);
  }

  // Calls `complete` on the executor, and never before this function returns.
  void begin(const asio::any_io_executor& executor, Call call, std::function<void(Result)> complete) {
    if (!timer_) timer_ = std::make_unique<asio::steady_timer>(executor);
    auto transfer = std::make_unique<Transfer>();
    transfer->call = std::move(call);
    transfer->complete = complete;
    try {
      prepare(*transfer);
      CURL* easy = transfer->easy.get();
      const CURLMcode code = curl_multi_add_handle(multi_.get(), easy);
      if (code != CURLM_OK) throw std::runtime_error(curl_multi_strerror(code));
      transfers_.emplace(easy, std::move(transfer));
    } catch (const std::exception& error) {
      asio::post(executor, [complete = std::move(complete), reason = std::string(error.what())] {
        complete(Silence{reason});
      });
    }
  }

 private:
  // A socket of libcurl, and the events that libcurl waits for.
  struct Watch {
    Watch(const asio::any_io_executor& executor, curl_socket_t socket) : descriptor(executor, socket) {}
    ~Watch() { end(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // libcurl closes the socket or goes on using it, so Asio must let go of it first.
    void end() {
      if (descriptor.is_open()) descriptor.release();
    }

    Descriptor descriptor;
    int wanted = 0;
    bool reading = false;
    bool writing = false;
  };

  void shutdown() noexcept override {
    for (const auto& [easy, transfer] : transfers_) curl_multi_remove_handle(multi_.get(), easy);
    multi_.reset();
    watches_.clear();
    timer_.reset();
    // This comes last, because the coroutines end with their transfers.
    std::exchange(transfers_, {}).clear();
  }

  static int on_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* context, void* /*of_socket*/) {
    return without_exception(
        [&] {
          static_cast<Transfers*>(context)->watch(socket, what);
          return 0;
        },
        -1);
  }

  static int on_timer(CURLM* /*multi*/, long milliseconds, void* context) {
    return without_exception(
        [&] {
          static_cast<Transfers*>(context)->call_back_in(milliseconds);
          return 0;
        },
        -1);
  }

  void watch(curl_socket_t socket, int what) {
    const auto found = watches_.find(socket);
    if (what == CURL_POLL_REMOVE) {
      if (found == watches_.end()) return;
      // Release the socket now. The event that is being handled still holds the watch, and during that event
      // libcurl may use the number of the socket again.
      found->second->end();
      watches_.erase(found);
      return;
    }
    const auto watch =
        found != watches_.end()
            ? found->second
            : watches_.emplace(socket, std::make_shared<Watch>(timer_->get_executor(), socket)).first->second;
    watch->wanted = what;
    wait(watch);
  }

  void wait(const std::shared_ptr<Watch>& watch) {
    if ((watch->wanted & CURL_POLL_IN) != 0 && !watch->reading) {
      wait(watch, Descriptor::wait_read, CURL_POLL_IN, CURL_CSELECT_IN, &Watch::reading);
    }
    if ((watch->wanted & CURL_POLL_OUT) != 0 && !watch->writing) {
      wait(watch, Descriptor::wait_write, CURL_POLL_OUT, CURL_CSELECT_OUT, &Watch::writing);
    }
  }

  void wait(const std::shared_ptr<Watch>& watch, Descriptor::wait_type type, int wish, int event,
            bool Watch::*waiting) {
    (*watch).*waiting = true;
    const curl_socket_t socket = watch->descriptor.native_handle();
    watch->descriptor.async_wait(
        type, [this, weak = std::weak_ptr(watch), socket, wish, event, waiting](std::error_code error) {
          const auto still = weak.lock();
          if (!still || error == asio::error::operation_aborted) return;
          (*still).*waiting = false;
          if ((still->wanted & wish) == 0) return;
          act(socket, error ? CURL_CSELECT_ERR : event);
          // By now libcurl may be done with the socket.
          const auto found = watches_.find(socket);
          if (found != watches_.end() && found->second == still) wait(still);
        });
  }

  void call_back_in(long milliseconds) {
    timer_->cancel();
    if (milliseconds < 0) return;
    timer_->expires_after(std::chrono::milliseconds(milliseconds));
    timer_->async_wait([this](std::error_code cancelled) {
      if (!cancelled) act(CURL_SOCKET_TIMEOUT, 0);
    });
  }

  void act(curl_socket_t socket, int events) {
    int running = 0;
    const CURLMcode code = curl_multi_socket_action(multi_.get(), socket, events, &running);
    if (code != CURLM_OK) return end_all(code);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg == CURLMSG_DONE) end(message->easy_handle, message->data.result);
    }
  }

  // A callback has failed. libcurl starts afresh once it has no transfer left.
  void end_all(CURLMcode code) {
    const auto all = std::exchange(transfers_, {});
    for (const auto& [easy, transfer] : all) curl_multi_remove_handle(multi_.get(), easy);
    for (const auto& [easy, transfer] : all) transfer->complete(Silence{curl_multi_strerror(code)});
  }

  void end(CURL* easy, CURLcode code) {
    const auto found = transfers_.find(easy);
    const std::unique_ptr<Transfer> transfer = std::move(found->second);
    transfers_.erase(found);
    curl_multi_remove_handle(multi_.get(), easy);
    if (code != CURLE_OK) {
      transfer->complete(Silence{curl_easy_strerror(code)});
      return;
    }
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->answer.status = static_cast<int>(status);
    transfer->complete(std::move(transfer->answer));
  }

  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::unique_ptr<asio::steady_timer> timer_;
  std::map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  std::map<CURL*, std::unique_ptr<Transfer>> transfers_;
};

}  // namespace

asio::awaitable<Result> send(Call call) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto& transfers = asio::use_service<Transfers>(asio::query(executor, asio::execution::context));
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(Result)>(
      [&transfers, executor](auto handler, Call&& accepted) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        transfers.begin(executor, std::move(accepted),
                        [shared](Result result) { std::move (*shared)(std::move(result)); });
      },
      asio::use_awaitable, std::move(call));
}

}  // namespace rocket::http
