#pragma once

#include <string>
#include <variant>

#include "rocket/jobs/broker_url.h"

namespace rocket::jobs {

// Where a RabbitMQ is, and how to log in there.
struct RabbitMqAddress {
  // Has a user and a password.
  BrokerUrl server;
  std::string virtual_host = "/";

  // For people to read, without user and password.
  std::string shown() const;
};

// amqp://[user:password@]host[:port][/virtual host], amqps:// for TLS; user, password and virtual host
// percent-encoded. Without user and password, both are guest. Without virtual host, or with an empty one, the
// virtual host is /. https://www.rabbitmq.com/uri-spec.html
std::variant<RabbitMqAddress, UrlMistake> rabbitmq_address_of(const std::string& url);

}  // namespace rocket::jobs
