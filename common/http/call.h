#pragma once

#include <asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rocket::http {

struct Call {
  std::string url;
  // Whole lines, "Name: value".
  std::vector<std::string> headers;
  // POST when there is one, else GET.
  std::optional<std::string> body;
  std::chrono::milliseconds connect_timeout{2000};
  // From here to the end of the answer.
  std::chrono::milliseconds timeout{10'000};
  // Certificate authorities to trust, instead of the system's.
  std::string ca_file;
};

struct Header {
  // In lower case.
  std::string name;
  std::string value;
};

struct Answer {
  int status = 0;
  std::vector<Header> headers;
  std::string body;

  // The last field of this name; nothing when there is none.
  std::optional<std::string> header(const std::string& lower_name) const;
};

// There was no whole answer. The server may or may not have worked on the call.
struct Silence {
  std::string reason;
};

// Calls a server with libcurl. The calling coroutine's executor must be single-threaded; all calls of one
// executor share its connections, which stay open, with HTTP/2 where the server offers it. Hundreds may be
// under way at once, none blocks the thread. Redirects are not followed, answers beyond 1 MiB are silence.
//
// libcurl itself sends a call once more when a connection that was kept open turns out to be dead: only for
// calls that may be repeated.
asio::awaitable<std::variant<Answer, Silence>> send(Call call);

}  // namespace rocket::http
