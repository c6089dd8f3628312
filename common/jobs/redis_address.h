#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "rocket/jobs/broker_url.h"

namespace rocket::jobs {

// Where a Redis is, and how to log in there.
struct RedisAddress {
  // Without a password, there is no login. Without a user, it is Redis's user "default".
  BrokerUrl server;
  std::int32_t database = 0;

  // For people to read, without user and password.
  std::string shown() const;
};

// redis://[[user]:password@]host[:port][/database], rediss:// for TLS; user and password percent-encoded.
// https://www.iana.org/assignments/uri-schemes/prov/redis
std::variant<RedisAddress, UrlMistake> redis_address_of(const std::string& url);

}  // namespace rocket::jobs
