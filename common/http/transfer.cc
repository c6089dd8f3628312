#include "rocket/http/transfer.h"

#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rocket/base/host.h"
#include "rocket/base/text.h"

namespace rocket::http {
namespace {

constexpr std::size_t kLongestBody = 1U << 20U;

std::size_t add_to_body(Answer& answer, std::string_view part) {
  if (answer.body.size() + part.size() > kLongestBody) return 0;
  answer.body.append(part);
  return part.size();
}

std::size_t add_header(Answer& answer, std::string_view line) {
  // After an interim answer (1xx) comes another status line, and the headers begin again.
  if (line.starts_with("HTTP/")) answer.headers.clear();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  const auto first = line.find_first_not_of(" \t", colon + 1);
  const auto last = line.find_last_not_of(" \t\r\n");
  answer.headers.push_back({lower_case(line.substr(0, colon)),
                            std::string(first > last ? "" : line.substr(first, last - first + 1))});
  return line.size();
}

// libcurl ends the call if this returns any other number than that of the bytes.
template <std::size_t add(Answer&, std::string_view)>
std::size_t on_bytes(const char* data, std::size_t size, std::size_t count, void* context) {
  Answer& answer = static_cast<Transfer*>(context)->answer;
  const std::string_view bytes(data, size * count);
  return without_exception([&] { return add(answer, bytes); }, bytes.size() + 1);
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

// Returns the host of a URL; empty if there is none.
std::string host_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  char* host = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return {};
  }
  const std::unique_ptr<char, decltype(&curl_free)> owned(host, &curl_free);
  return host;
}

}  // namespace

void prepare(Transfer& transfer) {
  const Call& call = transfer.call;
  transfer.easy.reset(curl_easy_init());
  CURL* easy = transfer.easy.get();
  if (easy == nullptr) throw std::bad_alloc();
  transfer.headers = list_of(call.headers);
  set(easy, CURLOPT_URL, call.url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  // This machine is reached without a proxy, whatever http_proxy and all_proxy say.
  if (is_loopback(host_of(call.url))) set(easy, CURLOPT_PROXY, "");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  if (call.body) {
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body->size()));
    set(easy, CURLOPT_POSTFIELDS, call.body->c_str());
  }
  if (!call.ca_file.empty()) set(easy, CURLOPT_CAINFO, call.ca_file.c_str());
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.connect_timeout.count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  // Programs with threads must not use timeouts by signal.
  set(easy, CURLOPT_NOSIGNAL, 1L);
  // If a call ends while its host is still being looked up, the thread of the look-up is left behind.
  // Otherwise libcurl would block our thread for as long as the name servers do not answer.
  set(easy, CURLOPT_QUICK_EXIT, 1L);
  set(easy, CURLOPT_WRITEFUNCTION, &on_bytes<add_to_body>);
  set(easy, CURLOPT_WRITEDATA, &transfer);
  set(easy, CURLOPT_HEADERFUNCTION, &on_bytes<add_header>);
  set(easy, CURLOPT_HEADERDATA, &transfer);
  set(easy, CURLOPT_PRIVATE, &transfer);
}

}  // namespace rocket::http
