#include "http/client.h"

#include <curl/curl.h>

#include <algorithm>
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
#include <string_view>
#include <utility>

namespace rocket::http {
namespace {

using Result = std::variant<Answer, Silence>;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t kLongestBody = 1U << 20U;
// Idle ones beyond are closed.
constexpr long kMostConnectionsKept = 512;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One call under way.
struct Transfer {
  Call call;
  std::function<void(Result)> complete;
  std::unique_ptr<curl_slist, FreeList> headers;
  Answer answer;
  std::unique_ptr<CURL, FreeEasy> easy;
};

std::size_t on_body(const char* data, std::size_t size, std::size_t count, void* context) {
  std::string& body = static_cast<Transfer*>(context)->answer.body;
  if (body.size() + size * count > kLongestBody) return 0;
  body.append(data, size * count);
  return size * count;
}

std::size_t on_header(const char* data, std::size_t size, std::size_t count, void* context) {
  Answer& answer = static_cast<Transfer*>(context)->answer;
  const std::string_view line(data, size * count);
  // A status line begins anew, after an interim answer.
  if (line.starts_with("HTTP/")) answer.headers.clear();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto first = line.find_first_not_of(" \t", colon + 1);
  const auto last = line.find_last_not_of(" \t\r\n");
  answer.headers.push_back(
      {std::move(name), std::string(first > last ? "" : line.substr(first, last - first + 1))});
  return line.size();
}

std::unique_ptr<curl_slist, FreeList> list_of(const std::vector<std::string>& lines) {
  std::unique_ptr<curl_slist, FreeList> list;
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());
    list.reset(longer);
  }
  return list;
}

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
}

void prepare(Transfer& transfer) {
  const Call& call = transfer.call;
  transfer.easy.reset(curl_easy_init());
  CURL* easy = transfer.easy.get();
  if (easy == nullptr) throw std::bad_alloc();
  transfer.headers = list_of(call.headers);
  set(easy, CURLOPT_URL, call.url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  if (call.body) {
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body->size()));
    set(easy, CURLOPT_POSTFIELDS, call.body->c_str());
  }
  if (!call.ca_file.empty()) set(easy, CURLOPT_CAINFO, call.ca_file.c_str());
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.connect_timeout.count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  // Timeouts by signal are not for programs with threads.
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_WRITEFUNCTION, &on_body);
  set(easy, CURLOPT_WRITEDATA, &transfer);
  set(easy, CURLOPT_HEADERFUNCTION, &on_header);
  set(easy, CURLOPT_HEADERDATA, &transfer);
  set(easy, CURLOPT_PRIVATE, &transfer);
}

// libcurl's transfers of one execution context, driven by it: see
// https://curl.se/libcurl/c/curl_multi_socket_action.html. Being a service of the context, it goes with it,
// and so do the coroutines that wait here.
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
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, kMostConnectionsKept);
  }

  // Completes on the executor, and not before this returns.
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
  // A socket of libcurl's, and what libcurl waits for.
  struct Watch {
    Watch(const asio::any_io_executor& executor, curl_socket_t socket) : descriptor(executor, socket) {}
    // libcurl closes the socket; Asio must not.
    ~Watch() { descriptor.release(); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

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
    // The last, because coroutines end with it.
    std::exchange(transfers_, {}).clear();
  }

  static int on_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* context, void* /*of_socket*/) {
    static_cast<Transfers*>(context)->watch(socket, what);
    return 0;
  }

  static int on_timer(CURLM* /*multi*/, long milliseconds, void* context) {
    static_cast<Transfers*>(context)->call_back_in(milliseconds);
    return 0;
  }

  void watch(curl_socket_t socket, int what) {
    if (what == CURL_POLL_REMOVE) {
      watches_.erase(socket);
      return;
    }
    auto& watch = watches_[socket];
    if (!watch) watch = std::make_shared<Watch>(timer_->get_executor(), socket);
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
          // By now libcurl may have done with the socket.
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
    curl_multi_socket_action(multi_.get(), socket, events, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg == CURLMSG_DONE) end(message->easy_handle, message->data.result);
    }
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
