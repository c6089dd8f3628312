#include "api/options.h"

#include <utility>

#include "rocket/base/host.h"
#include "rocket/base/settings.h"

namespace rocket::api {
namespace {

constexpr const char* kProxyProtocol = "proxy-protocol";

TrustedProxies::Header header_named(std::string_view name) {
  if (name == kProxyProtocol) return TrustedProxies::Header::kProxyProtocol;
  return name == "forwarded" ? TrustedProxies::Header::kForwarded : TrustedProxies::Header::kXForwardedFor;
}

// Returns whether others can reach the api, as far as the settings tell. A proxy on the same machine can make
// an api public that listens on this machine's own address only.
bool is_public(const Options& options) {
  const bool is_behind_proxy =
      !options.trusted_proxies.empty() || !options.hosts.empty() || options.service.hsts.count() > 0;
  return !is_loopback(options.server.address) || is_behind_proxy;
}

AuthMode auth_mode(const Options& options) {
  if (options.auth.empty()) return is_public(options) ? AuthMode::kToken : AuthMode::kEmail;
  return options.auth == "email" ? AuthMode::kEmail : AuthMode::kToken;
}

}  // namespace

Surroundings surroundings_of(const Options& options) {
  const payments::StripeOptions& stripe = options.provider.stripe;
  return {.is_public = is_public(options),
          .takes_emails = options.service.auth == AuthMode::kEmail,
          .has_laboratory = options.laboratory,
          .moves_money = options.provider.moves_money(),
          .is_root = is_root(),
          // DATABASE_URL may hold a password, and passes for a secret.
          .dumps_secrets = leaves_core_dumps(),
          .has_open_key_file = is_open_to_others(stripe.api_key_file),
          .shows_metrics = options.metrics.is_public()};
}

std::optional<int> read_options(int argc, char** argv, Options& options) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  Settings settings("api", "answers requests, advancing each through its phases");
  settings.add("bind", {"API_BIND"}, "address to listen on", options.server.address);
  settings.add("port", {"API_PORT", "PORT"}, "", "port to listen on; 0 takes any free one", options.port, 0,
               65535);
  settings.add("threads", {"API_THREADS"}, "threads", "threads that read and write HTTP",
               options.server_threads, 1, 64);
  settings.add("max-connections", {"API_MAX_CONNECTIONS"}, "connections",
               "clients' connections at once; fewer if the limit of open files asks for it",
               options.max_connections, 1, 1'000'000);
  settings.add("max-connections-per-address", {"API_MAX_CONNECTIONS_PER_ADDRESS"}, "connections",
               "of one address; 0: no limit", options.max_connections_per_address, 0, 1'000'000);
  settings.add("request-memory", {"API_REQUEST_MEMORY_MB"}, "MiB",
               "memory for all unfinished requests; beyond it the largest are refused with 503",
               options.request_memory_mb, 1, 1'000'000);
  AdmissionOptions& admission = options.service.admission;
  settings.add("line-limit", {"API_LINE_LIMIT"}, "requests",
               "requests in flight at once; more are refused with 503", admission.max_in_flight, 1,
               1'000'000);
  settings.add("caller-share", {"API_CALLER_SHARE"}, "percent",
               "share of the line that one user may hold; more are refused with 429", admission.caller_share,
               1, 100);
  settings.add("address-share", {"API_ADDRESS_SHARE"}, "percent",
               "share of the line that one address may hold with requests of nobody known",
               admission.address_share, 1, 100);
  settings.add("waiting-share", {"API_WAITING_SHARE"}, "percent",
               "share of the line for requests that wait for other attempts at their keys",
               admission.waiting_share, 1, 100);
  settings.add("provider-share", {"API_PROVIDER_SHARE"}, "percent",
               "share of the line that requests to the payment provider may hold", admission.provider_share,
               1, 100);
  options.service.limits.add_to(settings);
  settings.add("trusted-proxies", {"API_TRUSTED_PROXIES"},
               "proxies whose word about a client's address counts: addresses and networks, with commas",
               options.trusted_proxies);
  settings.add("proxy-header", {"API_PROXY_HEADER"}, "where they tell it", options.proxy_header,
               {"x-forwarded-for", "forwarded", kProxyProtocol});
  settings.add(
      "cors-origins", {"API_CORS_ORIGINS"},
      "origins whose pages may use the API in a browser, such as https://app.example.com, with commas",
      options.cors_origins);
  settings.add("hosts", {"API_HOSTS"},
               "names by which clients call this api, besides those of this machine, with commas; *: any",
               options.hosts);
  settings.add(
      "hsts", {"API_HSTS_S"},
      "how long browsers must use TLS for this host; only with TLS in front; 0: they are told nothing",
      options.service.hsts, seconds(0), seconds(2 * 366 * 86400));
  settings.add("allow-unsafe", {"API_ALLOW_UNSAFE"},
               "dangers to start in spite of, by the names that the refusal tells, with commas",
               options.allow_unsafe);
  settings.add("request-timeout", {"API_REQUEST_TIMEOUT_MS"}, "time for a client to send a request",
               options.server.transport.request_timeout, milliseconds(100), milliseconds(600'000));
  settings.add("idle-timeout", {"API_IDLE_TIMEOUT_MS"}, "time between two requests of a connection",
               options.server.transport.idle_timeout, milliseconds(100), milliseconds(3'600'000));
  settings.add("key-reused-status", {"KEY_REUSED_STATUS"}, "409 or 422",
               "answer when a key comes back with another request", options.key_reused_status, 409, 422);
  settings.add("key-retention", {"KEY_RETENTION_S"}, "how long the reaper keeps finished keys",
               options.service.key_retention, seconds(60), seconds(366 * 86400));
  settings.add("charge-repeat-limit", {"CHARGE_REPEAT_LIMIT_S"},
               "age from which a charge or refund is looked up instead of repeated",
               options.rides.charge_repeat_limit, seconds(1), seconds(366 * 86400));
  settings.add("auth", {"AUTH"},
               "token: API tokens; email: users' e-mail addresses too, which are no secret; default: email "
               "where only this machine reaches the api, else token",
               options.auth, {"token", "email"});
  options.users.add_to(settings);
  settings.add("print-statements", {}, "print the SQL that the phases are composed to, and exit",
               options.print_statements);
  settings.add("lab", {"LAB"}, "serve /lab, where people make their own requests fail", options.laboratory);
  options.provider.add_to(settings);
  options.database.add_to(settings);
  options.database.add_lanes_to(settings);
  options.metrics.add_to(settings);
  options.log.add_to(settings);
  settings.require([&]() -> std::optional<std::string> {
    if (options.key_reused_status == 409 || options.key_reused_status == 422) return std::nullopt;
    return "KEY_REUSED_STATUS must be 409 or 422";
  });
  settings.require([&]() -> std::optional<std::string> {
    auto proxies = TrustedProxies::parse(options.trusted_proxies, header_named(options.proxy_header));
    if (!proxies) return "API_TRUSTED_PROXIES must be addresses or networks, such as 10.0.0.0/8, ::1";
    if (proxies->empty() && options.proxy_header == kProxyProtocol) {
      return "API_PROXY_HEADER=proxy-protocol needs API_TRUSTED_PROXIES";
    }
    options.server.proxies = *proxies;
    options.service.proxies = std::move(*proxies);
    return std::nullopt;
  });
  settings.require([&]() -> std::optional<std::string> {
    auto hosts = AllowedHosts::parse(options.hosts);
    if (!hosts) return "API_HOSTS must be hosts without ports, such as api.example.com, 10.0.0.7";
    if (options.hosts.empty() && !is_loopback(options.server.address)) {
      return "API_HOSTS must name the hosts by which clients call this api, because API_BIND is not this "
             "machine's "
             "own address; * is any";
    }
    options.service.hosts = std::move(*hosts);
    return std::nullopt;
  });
  settings.require([&]() -> std::optional<std::string> {
    options.service.auth = auth_mode(options);
    if (options.print_statements || options.users.is_asked()) return std::nullopt;
    return unsafe_start(dangers_of(surroundings_of(options)), options.allow_unsafe);
  });
  settings.require([&]() -> std::optional<std::string> {
    if (!options.users.is_asked()) return std::nullopt;
    return options.database.urls.owner_mistake(options.database.allow_plaintext);
  });
  settings.require([&]() -> std::optional<std::string> {
    auto cors = CorsPolicy::parse(options.cors_origins);
    if (!cors)
      return "API_CORS_ORIGINS must be origins, such as https://app.example.com, http://localhost:3000";
    options.service.cors = std::move(*cors);
    return std::nullopt;
  });
  if (auto exit_status = settings.read(argc, argv)) return exit_status;
  options.server.port = static_cast<std::uint16_t>(options.port);
  options.server.threads = static_cast<std::size_t>(options.server_threads);
  options.server.connections = {static_cast<std::size_t>(options.max_connections),
                                static_cast<std::size_t>(options.max_connections_per_address)};
  options.server.transport.request_memory = static_cast<std::size_t>(options.request_memory_mb) << 20U;
  options.server.calls_at_once =
      static_cast<std::size_t>(admission.max_in_flight * admission.provider_share / 100);
  if (options.metrics.port != 0) options.server.other_descriptors = metrics::Exposer::kMaxDescriptors;
  options.service.mutations.key_reused_status = static_cast<int>(options.key_reused_status);
  options.service.mutations.with_raise_error = options.laboratory || !options.provider.moves_money();
  return std::nullopt;
}

}  // namespace rocket::api
