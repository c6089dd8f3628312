#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/chunked_body.h"
#include "api/http_message.h"
#include "api/input_buffer.h"

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
// Chunked bodies are decoded, and handed on as if they had come with a Content-Length. Line folding and any
// other Transfer-Encoding are refused.
class RequestReader {
 public:
  struct NeedsMore {
    // The client waits for "100 Continue" before it sends the body.
    bool expects_continue = false;
  };
  // Answer with this, then close.
  struct ProtocolError {
    int status = 400;
    std::string code;
    std::string error;
  };
  using Result = std::variant<NeedsMore, HttpRequest, ProtocolError>;

  explicit RequestReader(RequestLimits limits) : limits_(limits) {}

  // Takes one request off the front of `buffer` if it is complete. Call again with what is left, or with
  // more appended. After ProtocolError, do not call again. Looks at each byte a bounded number of times,
  // however the bytes come.
  Result next(InputBuffer& buffer);

  // A head has been read, and its body has not come yet. Then a request has begun even if the buffer is
  // empty.
  bool awaits_body() const { return pending_.has_value(); }

  // Returns the request that has begun or was refused, with only the fields that have come so far. `buffer`
  // must be as next() left it.
  HttpRequest begun(const InputBuffer& buffer) const;

  // Forgets the request that has begun.
  void clear() { *this = RequestReader(limits_); }

  // The memory, roughly and in bytes, of a head whose body has not come yet and of the body decoded so far.
  std::size_t held_bytes() const { return pending_ ? pending_->size_in_memory() : 0; }

  // The largest size that `buffer` ever needs, in bytes.
  std::size_t buffer_limit() const { return limits_.head_bytes + limits_.body_bytes; }

 private:
  std::optional<ProtocolError> look_for_head(InputBuffer& buffer);
  void drop_empty_lines(InputBuffer& buffer);
  std::optional<ProtocolError> read_head(std::string_view head);
  std::optional<ProtocolError> read_request_line(std::string_view line);
  std::optional<ProtocolError> read_header_line(std::string_view line);
  std::optional<ProtocolError> read_framing();
  std::optional<ProtocolError> read_length();
  Result read_body(InputBuffer& buffer);
  Result read_chunks(InputBuffer& buffer);
  ProtocolError body_too_large() const;

  RequestLimits limits_;
  // The request whose head has been read and whose body is awaited.
  std::optional<HttpRequest> pending_;
  std::size_t body_length_ = 0;
  // Used instead of the length while a chunked body is awaited.
  std::optional<ChunkedBody> chunks_;
  bool expects_continue_ = false;
  // How many bytes at the front of the buffer are known to hold no end of a head.
  std::size_t scanned_ = 0;
};

}  // namespace rocket::api
