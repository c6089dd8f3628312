#include "api/http_message.h"

#include <algorithm>

namespace rocket::api {
namespace {

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
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

}  // namespace

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

std::string HttpResponse::serialize(std::string_view request_id, bool keep_alive, bool with_body) const {
  std::string bytes;
  bytes.reserve(320 + body.size());
  bytes.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason(status));
  // "Not modified" has no content, so nothing is said about any (RFC 9110, section 15.4.5).
  if (status != 304) {
    bytes.append("\r\nContent-Type: ").append(content_type);
    bytes.append("\r\nContent-Length: ").append(std::to_string(body.size()));
  }
  bytes.append("\r\nCache-Control: ").append(cache_control);
  bytes.append("\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: ").append(request_id).append("\r\n");
  for (const auto& [name, value] : headers) bytes.append(name).append(": ").append(value).append("\r\n");
  if (!keep_alive) bytes.append("Connection: close\r\n");
  bytes.append("\r\n");
  if (with_body) bytes.append(body);
  return bytes;
}

}  // namespace rocket::api
