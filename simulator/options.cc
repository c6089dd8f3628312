#include "simulator/options.h"

#include <curl/curl.h>

#include <memory>
#include <random>

#include "rocket/base/host.h"
#include "rocket/base/settings.h"
#include "rocket/process/database_settings.h"

namespace rocket::simulator {
namespace {

using std::chrono::seconds;

constexpr seconds kYear{366 * 86400};

// The address and port of an api on this machine.
struct Address {
  std::string api_bind = "127.0.0.1";
  std::int64_t api_port = 5000;

  std::string url() const {
    // An api that listens on all addresses can be reached at the loopback address.
    std::string host = api_bind;
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::" || host == "[::]") host = "::1";
    return "http://" + url_host(host) + ":" + std::to_string(api_port);
  }
};

std::optional<std::string> url_mistake(const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return "must start with http:// or https://";
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  const CURLUcode mistake = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0);
  if (mistake != CURLUE_OK) return std::string("is not understood: ") + curl_url_strerror(mistake);
  return std::nullopt;
}

void add_traffic(Settings& settings, Options& options, Address& address) {
  settings.add("url", {"API_URL"}, "the api; without it, the one on this machine", options.url);
  settings.add("api-bind", {"API_BIND"}, "address that the api on this machine listens on", address.api_bind);
  // Not PORT: foreman gives every process a PORT of its own.
  settings.add("api-port", {"API_PORT"}, "port number", "port of the api on this machine", address.api_port,
               0, 65535);
  settings.add("rate", {"SIMULATOR_RATE"}, "requests/s",
               "requests sent, retries included; 0: as fast as possible", options.rate, 0, 1'000'000);
  settings.add("concurrency", {"SIMULATOR_CONCURRENCY"}, "scenarios", "scenarios under way at once",
               options.concurrency, 1, 1000);
  settings.add("duration", {"SIMULATOR_DURATION_S"}, "how long to send; 0: until stopped", options.duration,
               seconds(0), kYear);
  settings.add("users", {"SIMULATOR_USERS"}, "users", "users to create and send as; needs DATABASE_URL",
               options.users, 0, 100'000);
  settings.add("seed", {"SIMULATOR_SEED"}, "number",
               "the same seed sends the same traffic, with new keys; 0: choose one", options.seed, 0,
               INT64_MAX);
  settings.add("request-timeout", {"SIMULATOR_REQUEST_TIMEOUT_S"}, "how long to wait for an answer",
               options.request_timeout, seconds(1), seconds(3600));
  settings.add("progress", {"SIMULATOR_PROGRESS_MS"}, "how often to print what came back so far; 0: never",
               options.progress, std::chrono::milliseconds(0), std::chrono::milliseconds(3'600'000));
}

void add_verification(Settings& settings, Options& options) {
  settings.add("verify", {"SIMULATOR_VERIFY"}, "check the promises in the database after the traffic",
               options.verify);
  settings.add("verify-only", {}, "send nothing, only check the promises", options.verify_only);
  settings.add("settle", {"SIMULATOR_SETTLE_S"},
               "longest wait, before the check, for requests that are leased or due", options.settle,
               seconds(0), kYear);
  settings.add(
      "overdue", {"SIMULATOR_OVERDUE_S"},
      "how long an unfinished request may be due, with nobody at work on it, before it counts as lost",
      options.overdue, seconds(0), kYear);
  settings.add("max-named", {"SIMULATOR_MAX_NAMED"}, "names",
               "how many requests, rides or charges a line about a broken promise names", options.max_named,
               1, 1'000'000);
  settings.add("completer-grace", {"COMPLETER_GRACE_S"}, "what completers run with", options.completer_grace,
               seconds(0), kYear);
  settings.add("completer-pause", {"COMPLETER_PAUSE_S"}, "what completers run with", options.completer_pause,
               seconds(0), kYear);
  settings.add("completer-longest-pause", {"COMPLETER_LONGEST_PAUSE_S"}, "what completers run with",
               options.completer_longest_pause, seconds(0), kYear);
  settings.add("key-retention", {"KEY_RETENTION_S"}, "what reapers run with", options.key_retention,
               seconds(60), kYear);
  settings.add("ledger", {"MOCK_LEDGER"},
               "file in which the mock provider recorded the calls for this database", options.ledger);
}

std::int64_t random_seed() {
  std::random_device entropy;
  // Small enough for a person to type it again.
  return std::uniform_int_distribution<std::int64_t>(1, 999'999'999)(entropy);
}

}  // namespace

std::optional<int> read_options(int argc, const char* const* argv, Options& options) {
  Address address;
  Settings settings("simulator", "random traffic against the api, and checks of what came of it");
  add_traffic(settings, options, address);
  add_verification(settings, options);
  options.database.add_to(settings, "PostgreSQL connection string or URI; without it, no users of our own");
  process::add_allow_plaintext(settings, options.allow_plaintext);
  options.metrics.add_to(settings);
  options.log.add_to(settings);

  settings.require([&]() -> std::optional<std::string> {
    if (options.url.empty()) return std::nullopt;
    if (auto mistake = url_mistake(options.url)) return "--url " + *mistake;
    return std::nullopt;
  });
  settings.require([&]() -> std::optional<std::string> {
    if (!options.url.empty() || address.api_port != 0) return std::nullopt;
    return "an api on any free port can only be found with --url";
  });
  settings.require([&]() -> std::optional<std::string> {
    if (options.database.for_work().empty()) {
      if (options.verifies()) return "--verify needs DATABASE_URL";
      return std::nullopt;
    }
    return options.database.mistake(options.allow_plaintext);
  });
  settings.require([&]() -> std::optional<std::string> {
    // Without a duration, only a stop signal ends the traffic. The process must then end soon and has no time
    // to verify.
    if (!options.verify || options.verify_only || options.duration.count() > 0) return std::nullopt;
    return "--verify needs a --duration to end; to check without traffic, use --verify-only";
  });
  if (auto exit_status = settings.read(argc, argv)) return exit_status;

  if (options.url.empty()) options.url = address.url();
  while (options.url.ends_with('/')) options.url.pop_back();
  if (options.seed == 0) options.seed = random_seed();
  return std::nullopt;
}

}  // namespace rocket::simulator
