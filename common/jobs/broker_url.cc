#include "rocket/jobs/broker_url.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <memory>
#include <optional>

#include "rocket/base/text.h"

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

// The same, decoded; nullopt if decoding gives control characters.
std::optional<std::string> decoded(const Url& url, CURLUPart part) {
  std::string text = part_of(url, part, CURLU_URLDECODE);
  if (text.empty() && !part_of(url, part).empty()) return std::nullopt;
  return text;
}

// Needed because libcurl takes a broken percent-escape as plain text.
bool has_broken_escape(const std::string& url) {
  const auto is_digit = [&](std::size_t at) {
    return at < url.size() && std::isxdigit(static_cast<unsigned char>(url[at])) != 0;
  };
  for (auto at = url.find('%'); at != std::string::npos; at = url.find('%', at + 1)) {
    if (!is_digit(at + 1) || !is_digit(at + 2)) return true;
  }
  return false;
}

}  // namespace

std::string BrokerUrl::shown() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::variant<BrokerUrl, UrlMistake> broker_url_of(const std::string& url,
                                                  const std::array<BrokerScheme, 2>& schemes) {
  const auto* scheme = std::find_if(schemes.begin(), schemes.end(), [&](const BrokerScheme& each) {
    return url.starts_with(std::string(each.name) + "://");
  });
  if (scheme == schemes.end()) {
    return UrlMistake{"must begin with " + std::string(schemes[0].name) + ":// or " +
                      std::string(schemes[1].name) + "://"};
  }
  if (has_broken_escape(url)) return UrlMistake{"has a broken percent-escape"};
  // In such a URL, libcurl would take the path for the host.
  if (url.find(":///") != std::string::npos) return UrlMistake{"names no host"};
  const Url parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS) !=
      CURLUE_OK) {
    return UrlMistake{"is not a URL that can be read; percent-encode what is special in user and password"};
  }
  if (!part_of(parsed, CURLUPART_QUERY).empty() || !part_of(parsed, CURLUPART_FRAGMENT).empty()) {
    return UrlMistake{"has something after its path"};
  }

  BrokerUrl broker;
  broker.tls = scheme->tls;
  broker.host = part_of(parsed, CURLUPART_HOST);
  if (broker.host.starts_with('[')) broker.host = broker.host.substr(1, broker.host.size() - 2);
  if (broker.host.empty()) return UrlMistake{"names no host"};
  broker.port = scheme->port;
  const std::string given_port = part_of(parsed, CURLUPART_PORT);
  if (!given_port.empty()) {
    broker.port = number_of<std::uint16_t>(given_port).value_or(0);
    if (broker.port == 0) return UrlMistake{"has a port that is none"};
  }

  const auto user = decoded(parsed, CURLUPART_USER);
  const auto password = decoded(parsed, CURLUPART_PASSWORD);
  if (!user || !password) return UrlMistake{"has a user or password with control characters"};
  if (!user->empty() && password->empty()) return UrlMistake{"names a user, but no password"};
  broker.user = *user;
  broker.password = *password;

  const auto path = decoded(parsed, CURLUPART_PATH);
  if (!path) return UrlMistake{"has a path with control characters"};
  const auto without_slash = [](const std::string& text) { return text.empty() ? text : text.substr(1); };
  broker.raw_path = without_slash(part_of(parsed, CURLUPART_PATH));
  broker.path = without_slash(*path);
  return broker;
}

}  // namespace rocket::jobs
