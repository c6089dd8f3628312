#include "rocket/jobs/redis_address.h"

#include <array>
#include <charconv>
#include <utility>

namespace rocket::jobs {
namespace {

constexpr std::array<BrokerScheme, 2> kSchemes{{{"redis", false, 6379}, {"rediss", true, 6379}}};

}  // namespace

std::string RedisAddress::shown() const {
  return (server.tls ? "rediss://" : "redis://") + server.shown() + "/" + std::to_string(database);
}

std::variant<RedisAddress, UrlMistake> redis_address_of(const std::string& url) {
  auto broker = broker_url_of(url, kSchemes);
  if (auto* mistake = std::get_if<UrlMistake>(&broker)) return std::move(*mistake);
  RedisAddress address{.server = std::get<BrokerUrl>(std::move(broker))};
  const std::string& path = address.server.raw_path;
  if (!path.empty()) {
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), address.database);
    if (error != std::errc() || end != path.data() + path.size() || address.database < 0) {
      return UrlMistake{"has a path that is not a database number"};
    }
  }
  return address;
}

}  // namespace rocket::jobs
