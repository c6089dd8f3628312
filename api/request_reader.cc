#include "api/request_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace rocket::api {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kUsualHeaders = 8;

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  const auto is_token_character = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

// How much of a head's end has come, at the end of these bytes.
std::size_t end_begun(std::string_view bytes) {
  std::size_t begun = kHeadEnd.size() - 1;
  while (!bytes.ends_with(kHeadEnd.substr(0, begun))) --begun;
  return begun;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// True when a comma-separated list, such as Connection's, holds the word.
bool list_holds(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (lower_case(trimmed(list.substr(0, comma))) == word) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

RequestReader::Refused malformed(std::string error) { return {400, "request_malformed", std::move(error)}; }

}  // namespace

RequestReader::Result RequestReader::next(std::string& buffer) {
  if (!pending_) {
    // An empty line before a request is to be ignored (RFC 9112, section 2.2).
    while (buffer.starts_with(kLineEnd)) {
      buffer.erase(0, kLineEnd.size());
      scanned_ = 0;
    }
    const auto end = buffer.find(kHeadEnd, scanned_ < kHeadEnd.size() ? 0 : scanned_ - kHeadEnd.size());
    const auto head_size = end == std::string::npos ? buffer.size() - end_begun(buffer) : end;
    if (head_size > limits_.head_bytes) {
      return Refused{431, "headers_too_large", "The request's head is too large."};
    }
    if (end == std::string::npos) {
      scanned_ = buffer.size();
      return NeedsMore{};
    }
    scanned_ = 0;
    pending_.emplace();
    pending_->headers.reserve(kUsualHeaders);
    if (auto refused = read_head(std::string_view(buffer).substr(0, end))) return *refused;
    buffer.erase(0, end + kHeadEnd.size());
  }
  if (buffer.size() < body_length_) return NeedsMore{std::exchange(expects_continue_, false)};
  expects_continue_ = false;
  HttpRequest complete = *std::exchange(pending_, std::nullopt);
  if (buffer.size() == body_length_) {
    complete.body = std::exchange(buffer, {});
  } else {
    complete.body = buffer.substr(0, body_length_);
    buffer.erase(0, body_length_);
  }
  return complete;
}

std::optional<RequestReader::Refused> RequestReader::read_head(std::string_view head) {
  const auto line_end = head.find(kLineEnd);
  if (auto refused = read_request_line(head.substr(0, line_end))) return refused;
  while (line_end != std::string_view::npos) {
    head.remove_prefix(head.find(kLineEnd) + kLineEnd.size());
    const auto end = head.find(kLineEnd);
    if (auto refused = read_header_line(head.substr(0, end))) return refused;
    if (pending_->headers.size() > limits_.headers) {
      return Refused{431, "headers_too_large", "The request has too many header fields."};
    }
    if (end == std::string_view::npos) break;
  }
  return read_framing();
}

std::optional<RequestReader::Refused> RequestReader::read_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return malformed("The request line is malformed.");
  const std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);

  if (version == "HTTP/1.0") {
    http_1_0_ = true;
  } else if (version == "HTTP/1.1") {
    http_1_0_ = false;
  } else if (version.starts_with("HTTP/") && version.size() == 8) {
    return Refused{505, "http_version_not_supported", "Speak HTTP/1.1."};
  } else {
    return malformed("The request line is malformed.");
  }
  if (!is_token(method)) return malformed("The method is malformed.");
  if (target.size() > limits_.target_bytes) return Refused{414, "uri_too_long", "The URI is too long."};
  const bool visible =
      std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  // The absolute form is to be accepted (RFC 9112, section 3.2.2); its authority does not matter to us.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const auto path = target.find_first_of("/?", scheme.size());
    const bool has_path = path != std::string_view::npos && target[path] == '/';
    target = has_path ? target.substr(path) : std::string_view("/");
  }
  if (!visible || !(target.starts_with('/') || target == "*")) return malformed("The URI is malformed.");

  pending_->method = method;
  // Nothing here takes a query.
  pending_->path = target.substr(0, target.find('?'));
  return std::nullopt;
}

std::optional<RequestReader::Refused> RequestReader::read_header_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return malformed("A header field is malformed.");
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return malformed("A header field holds a control character.");
  pending_->headers.emplace_back(lower_case(line.substr(0, colon)), value);
  return std::nullopt;
}

// Where the body ends, and whether the connection goes on after it.
std::optional<RequestReader::Refused> RequestReader::read_framing() {
  HttpRequest& request = *pending_;
  if (request.count("host") > 1 || (request.count("host") == 0 && !http_1_0_)) {
    return malformed("Exactly one Host field is required.");
  }
  body_length_ = 0;
  const auto lengths = request.count("content-length");
  if (request.count("transfer-encoding") > 0) {
    if (lengths > 0 || http_1_0_) return malformed("The length of the body is ambiguous.");
    return Refused{411, "length_required", "Send the body with a Content-Length."};
  }
  if (lengths > 1) return malformed("The length of the body is ambiguous.");
  if (lengths == 1) {
    const std::string_view text = *request.header("content-length");
    const bool digits =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return malformed("Content-Length is malformed.");
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), body_length_);
    if (parsed.ec != std::errc() || body_length_ > limits_.body_bytes) {
      return Refused{413, "body_too_large",
                     "The body is larger than " + std::to_string(limits_.body_bytes) + " bytes."};
    }
  }
  expects_continue_ = false;
  if (const auto expectation = request.header("expect")) {
    if (lower_case(*expectation) != "100-continue") {
      return Refused{417, "expectation_failed", "Only 100-continue can be expected."};
    }
    expects_continue_ = !http_1_0_;
  }
  bool close = false;
  bool keep = false;
  for (const auto& [name, value] : request.headers) {
    if (name != "connection") continue;
    close = close || list_holds(value, "close");
    keep = keep || list_holds(value, "keep-alive");
  }
  request.keep_alive = !close && (!http_1_0_ || keep);
  return std::nullopt;
}

}  // namespace rocket::api
