#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/http_message.h"

namespace rocket::api {

struct RequestLimits {
  std::size_t head_bytes = 16'384;
  std::size_t headers = 100;
  std::size_t target_bytes = 4096;
  std::size_t body_bytes = 65'536;
};

// Cuts a connection's bytes into requests (RFC 9112). Strict on purpose: where two servers could read the
// same bytes differently, a request could be smuggled past one of them, so whatever is ambiguous is refused
// and the connection closed. Pistache's own parser guesses in these cases, forgets repeated fields and drops
// pipelined requests; that is why this class exists.
//
// Not supported, and refused: chunked bodies (411), line folding, and any Transfer-Encoding.
class RequestReader {
 public:
  struct NeedsMore {
    // The client waits for "100 Continue" before it sends the body.
    bool expects_continue = false;
  };
  // Answer with this, then close.
  struct Refused {
    int status = 400;
    std::string code;
    std::string error;
  };
  using Result = std::variant<NeedsMore, HttpRequest, Refused>;

  explicit RequestReader(RequestLimits limits) : limits_(limits) {}

  // Takes one request off the front of `buffer` if it is complete. Call again with what is left, or with
  // more appended. After Refused, do not call again.
  Result next(std::string& buffer);

  // A head has been read, and its body has not come yet: a request has begun even when `buffer` is empty.
  bool awaits_body() const { return pending_.has_value(); }

  // The most that `buffer` need ever hold.
  std::size_t buffer_limit() const { return limits_.head_bytes + limits_.body_bytes; }

 private:
  std::optional<Refused> read_head(std::string_view head);
  std::optional<Refused> read_request_line(std::string_view line);
  std::optional<Refused> read_header_line(std::string_view line);
  std::optional<Refused> read_framing();

  RequestLimits limits_;
  // The request whose head has been read and whose body is awaited.
  std::optional<HttpRequest> pending_;
  std::size_t body_length_ = 0;
  bool expects_continue_ = false;
  bool http_1_0_ = false;
  // How much of the buffer is known to hold no end of a head.
  std::size_t scanned_ = 0;
};

}  // namespace rocket::api
