#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "api/safe_start.h"
#include "api/server.h"
#include "api/service.h"
#include "api/user_commands.h"
#include "rocket/base/log.h"
#include "rocket/endpoints/all.h"
#include "rocket/idempotency/engine.h"
#include "rocket/metrics/exposer.h"
#include "rocket/payments/provider.h"
#include "rocket/process/database_settings.h"

namespace rocket::api {

// Everything that can be set.
struct Options {
  LogOptions log;
  metrics::ExposerOptions metrics{.port = 9401};
  // While the database is away, a client gets an answer within two seconds.
  process::DatabaseSettings database{.urls = {}, .timeout = std::chrono::milliseconds(1200), .lanes = 2};
  ServerOptions server;
  std::int64_t port = 5000;
  std::int64_t server_threads = 1;
  std::int64_t max_connections = 16'384;
  std::int64_t max_connections_per_address = 0;
  std::int64_t request_memory_mb = 48;
  ServiceOptions service;
  std::int64_t key_reused_status = 409;
  idempotency::EngineOptions engine;
  endpoints::RideOptions rides;
  payments::ProviderOptions provider;
  bool laboratory = false;
  bool print_statements = false;
  UserCommands users;
  std::string trusted_proxies;
  std::string proxy_header = "x-forwarded-for";
  std::string cors_origins;
  std::string hosts;
  std::string allow_unsafe;
  // "token", "email", or empty for what is safe where the api listens.
  std::string auth;
};

// Fills the options from the command line and the environment. Returns the exit status if there is nothing to
// run, as after --help or a mistake.
std::optional<int> read_options(int argc, char** argv, Options& options);

// What could be dangerous about an api with these options on this machine.
Surroundings surroundings_of(const Options& options);

}  // namespace rocket::api
