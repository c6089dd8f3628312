#include "jobs/redis_address.h"

#include <curl/curl.h>

#include <cctype>
#include <charconv>
#include <cstddef>
#include <memory>
#include <string_view>

namespace rocket::jobs {
namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

// Empty when the URL has no such part.
std::string part_of(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
  return text;
}

// As above, decoded; nullopt when that makes control characters.
std::optional<std::string> decoded(const Url& url, CURLUPart part) {
  std::string text = part_of(url, part, CURLU_URLDECODE);
  if (text.empty() && !part_of(url, part).empty()) return std::nullopt;
  return text;
}

// libcurl takes a broken one for what it says.
bool has_broken_escape(const std::string& url) {
  const auto is_digit = [&](std::size_t at) {
    return at < url.size() && std::isxdigit(static_cast<unsigned char>(url[at])) != 0;
  };
  for (auto at = url.find('%'); at != std::string::npos; at = url.find('%', at + 1)) {
    if (!is_digit(at + 1) || !is_digit(at + 2)) return true;
  }
  return false;
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

}  // namespace

std::string RedisAddress::shown() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (tls ? "rediss://" : "redis://") + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port) +
         "/" + std::to_string(database);
}

std::variant<RedisAddress, UrlMistake> redis_address_of(const std::string& url) {
  RedisAddress address;
  address.tls = url.starts_with("rediss://");
  if (!address.tls && !url.starts_with("redis://")) {
    return UrlMistake{"must be log, or begin with redis:// or rediss://"};
  }
  if (has_broken_escape(url)) return UrlMistake{"has a broken percent-escape"};
  // libcurl would take the database for the host.
  if (url.find(":///") != std::string::npos) return UrlMistake{"names no host"};
  const Url parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return UrlMistake{"is not a URL that can be read; percent-encode what is special in user and password"};
  }
  if (!part_of(parsed, CURLUPART_QUERY).empty() || !part_of(parsed, CURLUPART_FRAGMENT).empty()) {
    return UrlMistake{"has something after its database number"};
  }

  address.host = part_of(parsed, CURLUPART_HOST);
  if (address.host.starts_with('[')) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty()) return UrlMistake{"names no host"};
  const std::string port = part_of(parsed, CURLUPART_PORT);
  if (!port.empty() && (!read_number(port, address.port) || address.port == 0)) {
    return UrlMistake{"has a port that is none"};
  }

  const auto user = decoded(parsed, CURLUPART_USER);
  const auto password = decoded(parsed, CURLUPART_PASSWORD);
  if (!user || !password) return UrlMistake{"has a user or password with control characters"};
  if (!user->empty() && password->empty()) return UrlMistake{"names a user, but no password"};
  address.user = *user;
  address.password = *password;

  const std::string path = part_of(parsed, CURLUPART_PATH);
  if (path.size() > 1 && !read_number(std::string_view(path).substr(1), address.database)) {
    return UrlMistake{"has a path that is not a database number"};
  }
  return address;
}

}  // namespace rocket::jobs
