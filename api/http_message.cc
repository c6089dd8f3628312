#include "api/http_message.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace rocket::api {
namespace {

// The current time as an IMF-fixdate (RFC 9110, section 5.6.7). Each thread formats it at most once a second,
// however many answers it sends.
std::string_view http_date() {
  constexpr std::string_view kShape = "Sun, 06 Nov 1994 08:49:37 GMT";
  thread_local std::time_t second = -1;
  thread_local std::array<char, kShape.size() + 1> text{};
  if (const std::time_t now = std::time(nullptr); now != second) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    // All programs here stay in the C locale, so the names are English.
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    second = now;
  }
  return {text.data(), kShape.size()};
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

std::string_view HttpRequest::connection_option() const {
  if (!keep_alive) return "close";
  return http_1_0 ? "keep-alive" : "";
}

std::size_t HttpRequest::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(), [&](const auto& each) { return each.first == name; }));
}

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
  for (const auto& [each, value] : headers) {
    if (each == name) return value;
  }
  return std::nullopt;
}

std::size_t HttpRequest::size_in_memory() const {
  std::size_t size =
      path.capacity() + query.capacity() + body.capacity() + headers.capacity() * sizeof headers.front();
  for (const auto& [name, value] : headers) size += name.size() + value.size();
  return size;
}

std::string HttpResponse::serialize(std::string_view request_id, std::string_view connection, bool with_body,
                                    std::string_view more) const {
  std::string bytes;
  bytes.reserve(384 + body.size());
  bytes.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason_phrase(status));
  // These answers have no content, so no field describes it (RFC 9110, sections 8.6 and 15.4.5).
  if (status != 204 && status != 304) {
    bytes.append("\r\nContent-Type: ").append(content_type);
    bytes.append("\r\nContent-Length: ").append(std::to_string(body.size()));
  }
  bytes.append("\r\nDate: ").append(http_date());
  bytes.append("\r\nCache-Control: ").append(cache_control);
  bytes.append("\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ").append(request_id).append("\r\n");
  for (const auto& [name, value] : headers) bytes.append(name).append(": ").append(value).append("\r\n");
  bytes.append(more);
  if (!connection.empty()) bytes.append("Connection: ").append(connection).append("\r\n");
  bytes.append("\r\n");
  if (with_body) bytes.append(body);
  return bytes;
}

}  // namespace rocket::api
