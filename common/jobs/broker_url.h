#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace rocket::jobs {

// What is wrong with a URL. The text holds no part of the URL.
struct UrlMistake {
  std::string reason;
};

// What the URLs of all brokers have in common: SCHEME://[[user]:password@]host[:port][/path],
// percent-encoded.
struct BrokerUrl {
  bool tls = false;
  // A name or an address, IPv6 without brackets.
  std::string host;
  std::uint16_t port = 0;
  // Empty if none is given.
  std::string user;
  std::string password;
  // The path without its first slash: raw_path is still percent-encoded, path is decoded.
  std::string raw_path;
  std::string path;

  // Host and port, for people to read.
  std::string shown() const;
};

struct BrokerScheme {
  std::string_view name;
  bool tls;
  // The port if the URL names none.
  std::uint16_t port;
};

std::variant<BrokerUrl, UrlMistake> broker_url_of(const std::string& url,
                                                  const std::array<BrokerScheme, 2>& schemes);

}  // namespace rocket::jobs
