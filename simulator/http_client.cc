#include "simulator/http_client.h"

#include <new>
#include <string_view>
#include <utility>

#include "rocket/base/text.h"

namespace rocket::simulator {
namespace {

constexpr long kConnectTimeoutMs = 2000;

// One request under way, as libcurl's callbacks see it.
struct Transfer {
  const HttpRequest& request;
  const std::atomic<bool>& give_up;
  HttpAnswer answer;
  bool hung_up = false;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* context) {
  static_cast<Transfer*>(context)->answer.body.append(data, size * count);
  return size * count;
}

std::optional<std::chrono::seconds> read_seconds(std::string_view text) {
  const auto seconds = number_of<unsigned>(text);
  return seconds ? std::optional(std::chrono::seconds(*seconds)) : std::nullopt;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* context) {
  HttpAnswer& answer = static_cast<Transfer*>(context)->answer;
  const std::string_view line(data, size * count);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  const auto first = line.find_first_not_of(" \t", colon + 1);
  const auto last = line.find_last_not_of(" \t\r\n");
  const std::string_view value = first > last ? std::string_view() : line.substr(first, last - first + 1);
  const std::string_view name = line.substr(0, colon);
  if (equal_ignoring_case(name, "retry-after")) answer.retry_after = read_seconds(value);
  if (equal_ignoring_case(name, "idempotent-replayed")) answer.replayed = value;
  if (equal_ignoring_case(name, "x-request-id")) answer.request_id = value;
  return line.size();
}

// libcurl calls this while data moves, and otherwise about once per second. A result other than 0 closes the
// connection.
int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) {
  auto* transfer = static_cast<Transfer*>(context);
  if (transfer->give_up.load()) return 1;
  if (!transfer->request.hang_up || static_cast<std::size_t>(sent) < transfer->request.body.size()) return 0;
  transfer->hung_up = true;
  return 1;
}

class Headers {
 public:
  explicit Headers(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      curl_slist* longer = curl_slist_append(list_.get(), line.c_str());
      if (longer == nullptr) throw std::bad_alloc();
      static_cast<void>(list_.release());
      list_.reset(longer);
    }
  }
  curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> list_{nullptr, &curl_slist_free_all};
};

bool never_connected(CURLcode code) {
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_SSL_CONNECT_ERROR;
}

}  // namespace

HttpClient::HttpClient(std::string url, std::chrono::seconds request_timeout,
                       const std::atomic<bool>& give_up)
    : url_(std::move(url)), give_up_(give_up), handle_(curl_easy_init(), &curl_easy_cleanup) {
  CURL* handle = handle_.get();
  if (handle == nullptr) throw std::bad_alloc();
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request_timeout.count() * 1000));
  // libcurl must not use signals for timeouts, because this program has threads.
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  // Giving up must not wait until a lookup of the host has ended.
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  // The traffic goes directly to this api, whatever http_proxy says.
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

std::variant<HttpAnswer, Silence> HttpClient::send(const HttpRequest& request) {
  Transfer transfer{request, give_up_, {}};
  const Headers headers(request.headers);
  const std::string url = url_ + request.path;
  CURL* handle = handle_.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, request.new_connection ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);

  const auto since = std::chrono::steady_clock::now();
  const CURLcode code = curl_easy_perform(handle);
  transfer.answer.duration = std::chrono::steady_clock::now() - since;
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    transfer.answer.status = static_cast<int>(status);
    return std::move(transfer.answer);
  }
  if (transfer.hung_up) return Silence::kHungUp;
  return never_connected(code) ? Silence::kNotConnected : Silence::kLost;
}

}  // namespace rocket::simulator
