#include "rocket/jobs/rabbitmq_address.h"

#include <array>
#include <cstddef>
#include <utility>

namespace rocket::jobs {
namespace {

constexpr std::array<BrokerScheme, 2> kSchemes{{{"amqp", false, 5672}, {"amqps", true, 5671}}};
// AMQP writes the length of a name in one byte.
constexpr std::size_t kLongestName = 255;

}  // namespace

std::string RabbitMqAddress::shown() const {
  return (server.tls ? "amqps://" : "amqp://") + server.shown() + "/" + server.raw_path;
}

std::variant<RabbitMqAddress, UrlMistake> rabbitmq_address_of(const std::string& url) {
  auto broker = broker_url_of(url, kSchemes);
  if (auto* mistake = std::get_if<UrlMistake>(&broker)) return std::move(*mistake);
  RabbitMqAddress address{.server = std::get<BrokerUrl>(std::move(broker))};
  BrokerUrl& server = address.server;
  if (server.raw_path.find('/') != std::string::npos) {
    return UrlMistake{"has a virtual host with a bare slash; write %2F for it"};
  }
  if (server.path.size() > kLongestName) return UrlMistake{"has a virtual host of more than 255 bytes"};
  if (!server.path.empty()) address.virtual_host = server.path;
  if (server.user.empty() && !server.password.empty()) return UrlMistake{"names a password, but no user"};
  if (server.user.empty()) server.user = server.password = "guest";
  return address;
}

}  // namespace rocket::jobs
