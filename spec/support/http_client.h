#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rocket::spec {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What a client sends. to_bytes() adds Host, and Content-Length when there is a body.
struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  std::string body;

  // The same request with one more header field.
  ClientRequest with(const std::string& name, const std::string& value) const;
  std::string to_bytes() const;
};

struct ClientResponse {
  int status = 0;
  // Names in lower case, in the order in which they came.
  Headers headers;
  std::string body;

  // The field's value; empty if there is no such field. count() tells an empty field from a missing one.
  std::string header(std::string_view lower_name) const;
  std::size_t count(std::string_view lower_name) const;
  // The value of "code" in a JSON object body; empty if there is none.
  std::string code() const;
};

// One connection to a server on 127.0.0.1. It sends any bytes, and reads one response at a time. Every
// function throws std::runtime_error at the time limit or when the connection breaks. Not thread safe.
class HttpConnection {
 public:
  explicit HttpConnection(std::uint16_t port, std::chrono::milliseconds limit = std::chrono::seconds(15));
  ~HttpConnection();
  HttpConnection(HttpConnection&& other) noexcept;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  HttpConnection& operator=(HttpConnection&&) = delete;

  void send(std::string_view bytes);
  // Reads the next response; an interim one (1xx) counts too. `to_head`: the response has no body, whatever
  // its Content-Length says.
  ClientResponse receive(bool to_head = false);
  ClientResponse exchange(const ClientRequest& request);
  // Closes the sending side. Responses can still be read.
  void end_sending();
  // Ends the connection at once with RST. Do not call any other function after this one.
  void reset();
  // True if the server ends the connection within the limit and sends nothing more.
  bool ends();
  // True if data has arrived or arrives within this time.
  bool has_input(std::chrono::milliseconds wait);

 private:
  bool wait(short events, std::chrono::steady_clock::time_point end) const;
  // Returns false at the end of the connection.
  bool read_more(std::chrono::steady_clock::time_point end);

  int descriptor_ = -1;
  std::chrono::milliseconds limit_;
  std::string buffer_;
};

// Sends one request on a new connection.
ClientResponse exchange(std::uint16_t port, const ClientRequest& request);

}  // namespace rocket::spec
