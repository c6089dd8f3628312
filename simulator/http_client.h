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
  // Behind the client's address; starts with a slash.
  std::string path;
  // Whole lines, "Name: value".
  std::vector<std::string> headers;
  std::string body;
  // Close the connection as soon as everything is sent.
  bool hang_up = false;
  // libcurl sends again by itself when a kept-open connection turns out to be dead. Whoever must not send
  // twice asks for a new connection.
  bool new_connection = false;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
  // The value of Idempotent-Replayed, and of X-Request-Id; empty without them.
  std::string replayed;
  std::string request_id;
  std::chrono::steady_clock::duration duration{};
};

enum class Silence {
  kNotConnected,  // nothing was sent
  kLost,          // sent, or partly so: the request may have been worked on
  kHungUp,        // as was asked for
  kGateway,       // something in front of the api said that it has no answer of the api's (502, 503, 504)
};

// Sends to one address, over one connection that is kept open. One request at a time; not thread safe.
class HttpClient {
 public:
  // `give_up`, when it becomes true, ends a request under way within about a second; it must outlive the
  // client.
  HttpClient(std::string url, std::chrono::seconds request_timeout, const std::atomic<bool>& give_up);

  std::variant<HttpAnswer, Silence> send(const HttpRequest& request);

 private:
  std::string url_;
  const std::atomic<bool>& give_up_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
};

}  // namespace rocket::simulator
