#include "api/request_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/http_text.h"
#include "rocket/base/text.h"

namespace rocket::api {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kUsualHeaders = 8;

// Returns how many bytes of a head's end stand at the end of `bytes`.
std::size_t end_begun(std::string_view bytes) {
  std::size_t begun = kHeadEnd.size() - 1;
  while (!bytes.ends_with(kHeadEnd.substr(0, begun))) --begun;
  return begun;
}

RequestReader::ProtocolError malformed(std::string error) {
  return {400, "request_malformed", std::move(error)};
}

}  // namespace

RequestReader::Result RequestReader::next(InputBuffer& buffer) {
  if (!pending_) {
    if (auto refused = look_for_head(buffer)) {
      pending_.reset();
      return *refused;
    }
  }
  if (!pending_) return NeedsMore{};
  return chunks_ ? read_chunks(buffer) : read_body(buffer);
}

HttpRequest RequestReader::begun(const InputBuffer& buffer) const {
  HttpRequest request;
  request.headers = pending_ ? pending_->headers : find_fields(buffer.view());
  return request;
}

// Takes a whole head off the buffer and leaves it in pending_. Does nothing until the whole head has come.
std::optional<RequestReader::ProtocolError> RequestReader::look_for_head(InputBuffer& buffer) {
  drop_empty_lines(buffer);
  const std::string_view bytes = buffer.view();
  // Bytes that cannot become a request are refused early: a TLS client, for example, sends them and waits for
  // an answer.
  if (!bytes.empty() && !is_token_character(bytes.front()) && bytes != kLineEnd.substr(0, 1)) {
    return malformed("The request line is malformed. This port speaks HTTP/1.1, without TLS.");
  }
  const auto end = bytes.find(kHeadEnd, scanned_ < kHeadEnd.size() ? 0 : scanned_ - kHeadEnd.size());
  const auto head_size = end == std::string_view::npos ? bytes.size() - end_begun(bytes) : end;
  if (head_size > limits_.head_bytes) {
    return ProtocolError{431, "headers_too_large", "The request's head is too large."};
  }
  if (end == std::string_view::npos) {
    scanned_ = bytes.size();
    return std::nullopt;
  }
  scanned_ = 0;
  pending_.emplace();
  pending_->headers.reserve(kUsualHeaders);
  if (auto refused = read_head(bytes.substr(0, end))) return refused;
  buffer.drop(end + kHeadEnd.size());
  return std::nullopt;
}

RequestReader::Result RequestReader::read_body(InputBuffer& buffer) {
  if (buffer.size() < body_length_) return NeedsMore{std::exchange(expects_continue_, false)};
  pending_->body = buffer.view().substr(0, body_length_);
  buffer.drop(body_length_);
  return *std::exchange(pending_, std::nullopt);
}

RequestReader::Result RequestReader::read_chunks(InputBuffer& buffer) {
  std::string_view bytes = buffer.view();
  const auto progress = chunks_->read(bytes, pending_->body);
  buffer.drop(buffer.size() - bytes.size());
  switch (progress) {
    case ChunkedBody::Progress::kNeedsMore:
      return NeedsMore{std::exchange(expects_continue_, false)};
    case ChunkedBody::Progress::kMalformed:
      return malformed("The chunks of the body are malformed.");
    case ChunkedBody::Progress::kTooLarge:
      return body_too_large();
    case ChunkedBody::Progress::kTrailersTooLarge:
      return ProtocolError{431, "headers_too_large", "The request's trailers are too large."};
    case ChunkedBody::Progress::kComplete:
      break;
  }
  chunks_.reset();
  // The request that is handed on has only one framing (RFC 9112, section 7.1.3).
  std::erase_if(pending_->headers, [](const auto& field) { return field.first == "transfer-encoding"; });
  pending_->headers.emplace_back("content-length", std::to_string(pending_->body.size()));
  return *std::exchange(pending_, std::nullopt);
}

RequestReader::ProtocolError RequestReader::body_too_large() const {
  return {413, "body_too_large", "The body is larger than " + std::to_string(limits_.body_bytes) + " bytes."};
}

// Empty lines before a request are ignored (RFC 9112, section 2.2).
void RequestReader::drop_empty_lines(InputBuffer& buffer) {
  const std::string_view bytes = buffer.view();
  std::size_t empty = 0;
  while (bytes.substr(empty).starts_with(kLineEnd)) empty += kLineEnd.size();
  if (empty == 0) return;
  buffer.drop(empty);
  scanned_ = 0;
}

std::optional<RequestReader::ProtocolError> RequestReader::read_head(std::string_view head) {
  const auto line_end = head.find(kLineEnd);
  if (auto refused = read_request_line(head.substr(0, line_end))) return refused;
  while (line_end != std::string_view::npos) {
    head.remove_prefix(head.find(kLineEnd) + kLineEnd.size());
    const auto end = head.find(kLineEnd);
    if (auto refused = read_header_line(head.substr(0, end))) return refused;
    if (pending_->headers.size() > limits_.headers) {
      return ProtocolError{431, "headers_too_large", "The request has too many header fields."};
    }
    if (end == std::string_view::npos) break;
  }
  return read_framing();
}

std::optional<RequestReader::ProtocolError> RequestReader::read_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return malformed("The request line is malformed.");
  const std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);

  if (version == "HTTP/1.0") {
    pending_->http_1_0 = true;
  } else if (version == "HTTP/1.1") {
    pending_->http_1_0 = false;
  } else if (version.starts_with("HTTP/") && version.size() == 8) {
    return ProtocolError{505, "http_version_not_supported", "Speak HTTP/1.1."};
  } else {
    return malformed("The request line is malformed.");
  }
  if (!is_token(method)) return malformed("The method is malformed.");
  if (target.size() > limits_.target_bytes) return ProtocolError{414, "uri_too_long", "The URI is too long."};
  const bool visible =
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  // The absolute form must be accepted (RFC 9112, section 3.2.2); we ignore its authority.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const auto path = target.find_first_of("/?", scheme.size());
    const bool has_path = path != std::string_view::npos && target[path] == '/';
    target = has_path ? target.substr(path) : std::string_view("/");
  }
  if (!visible || !(target.starts_with('/') || target == "*")) return malformed("The URI is malformed.");

  pending_->method = method;
  const auto end = target.find('?');
  pending_->path = target.substr(0, end);
  pending_->query = end == std::string_view::npos ? std::string_view() : target.substr(end + 1);
  return std::nullopt;
}

std::optional<RequestReader::ProtocolError> RequestReader::read_header_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return malformed("A header field is malformed.");
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return malformed("A header field holds a control character.");
  pending_->headers.emplace_back(lower_case(line.substr(0, colon)), value);
  return std::nullopt;
}

// Finds out where the body ends, and whether the connection stays open after it.
std::optional<RequestReader::ProtocolError> RequestReader::read_framing() {
  HttpRequest& request = *pending_;
  if (request.count("host") > 1 || (request.count("host") == 0 && !request.http_1_0)) {
    return malformed("Exactly one Host field is required.");
  }
  if (auto refused = read_length()) return refused;
  expects_continue_ = false;
  if (const auto expectation = request.header("expect")) {
    if (lower_case(*expectation) != "100-continue") {
      return ProtocolError{417, "expectation_failed", "Only 100-continue can be expected."};
    }
    expects_continue_ = !request.http_1_0;
  }
  bool close = false;
  bool keep = false;
  for (const auto& [name, value] : request.headers) {
    if (name != "connection") continue;
    close = close || list_holds(value, "close");
    keep = keep || list_holds(value, "keep-alive");
  }
  request.keep_alive = !close && (!request.http_1_0 || keep);
  return std::nullopt;
}

std::optional<RequestReader::ProtocolError> RequestReader::read_length() {
  const HttpRequest& request = *pending_;
  const auto codings = request.count("transfer-encoding");
  const auto lengths = request.count("content-length");
  body_length_ = 0;
  chunks_.reset();
  if (lengths > 1 || (codings > 0 && (lengths > 0 || request.http_1_0))) {
    return malformed("The length of the body is ambiguous.");
  }
  if (codings > 0) {
    if (codings > 1 || lower_case(*request.header("transfer-encoding")) != "chunked") {
      return malformed("The only Transfer-Encoding is chunked, once.");
    }
    chunks_.emplace(limits_.body_bytes);
  }
  if (lengths == 0) return std::nullopt;
  const std::string_view text = *request.header("content-length");
  const bool digits =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return malformed("Content-Length is malformed.");
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), body_length_);
  if (parsed.ec != std::errc() || body_length_ > limits_.body_bytes) return body_too_large();
  return std::nullopt;
}

}  // namespace rocket::api
