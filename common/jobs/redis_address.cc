#include "rocket/jobs/redis_address.h"

#include <array>
#include <utility>

#include "rocket/base/text.h"

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
    const auto number = number_of<decltype(address.database)>(path);
    if (!number || *number < 0) return UrlMistake{"has a path that is not a database number"};
    address.database = *number;
  }
  return address;
}

}  // namespace rocket::jobs
