#pragma once

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rocket::simulator {

struct HttpRequest {
  std::string method = "POST";
  // Appended to the client's address; starts with a slash.
  std::string path;
  // Whole lines, "Name: value".
  std::vector<std::string> headers;
  std::string body;
  // Close the connection as soon as everything is sent.
  bool hang_up = false;
  // On a kept-open connection that turns out to be dead, libcurl sends the request again by itself. A request
  // that must not be sent twice needs a new connection.
  bool new_connection = false;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
  // The values of Idempotent-Replayed and X-Request-Id; empty if the answer has no such header.
  std::string replayed;
  std::string request_id;
  std::chrono::steady_clock::duration duration{};
};

enum class Silence {
  kNotConnected,  // nothing was sent
  kLost,          // sent at least in part: the api may have worked on the request
  kHungUp,        // closed by this client, because the request asked for it
  kGateway,       // a proxy in front of the api answered that it has no answer from the api (502, 503, 504)
};

// Sends to one address, over one connection that is kept open. One request at a time; not thread safe.
class HttpClient {
 public:
  // When `give_up` becomes true, a request under way ends within about a second. `give_up` must outlive the
  // client.
  HttpClient(std::string url, std::chrono::seconds request_timeout, const std::atomic<bool>& give_up);

  std::variant<HttpAnswer, Silence> send(const HttpRequest& request);

 private:
  std::string url_;
  const std::atomic<bool>& give_up_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
};

}  // namespace rocket::simulator
