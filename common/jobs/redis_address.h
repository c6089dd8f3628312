#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace rocket::jobs {

// What is wrong with a URL, in words that hold nothing of it.
struct UrlMistake {
  std::string reason;
};

// Where a Redis is, and how to log in there.
struct RedisAddress {
  bool tls = false;
  // A name or an address, IPv6 without brackets.
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  // Empty: Redis's user "default".
  std::string user;
  // Empty: without logging in.
  std::string password;
  std::int32_t database = 0;

  // For people: without user and password.
  std::string shown() const;
};

// redis://[[user]:password@]host[:port][/database], rediss:// for TLS; user and password percent-encoded.
// https://www.iana.org/assignments/uri-schemes/prov/redis
std::variant<RedisAddress, UrlMistake> redis_address_of(const std::string& url);

}  // namespace rocket::jobs
