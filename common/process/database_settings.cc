#include "rocket/process/database_settings.h"

#include "rocket/pg/connection_string.h"

namespace rocket::process {

void DatabaseSettings::add_to(Settings& settings) {
  // Environment only: a connection string may hold a password, and command lines are visible to others.
  settings.add_secret({"DATABASE_URL"}, "PostgreSQL connection string or URI", url);
  add_allow_plaintext(settings, allow_plaintext);
  settings.add("database-timeout", {"DATABASE_TIMEOUT_MS"},
               "longest transaction; a statement may take 80 % of it, waiting for a lock 25 %", timeout,
               std::chrono::milliseconds(100), std::chrono::milliseconds(600'000));
  settings.require([this]() -> std::optional<std::string> {
    if (url.empty()) return "DATABASE_URL is not set";
    return database_url_mistake(url, allow_plaintext);
  });
}

void add_allow_plaintext(Settings& settings, bool& allow_plaintext) {
  settings.add("database-allow-plaintext", {"DATABASE_ALLOW_PLAINTEXT"},
               "reach a database on another machine without sslmode=require or stricter", allow_plaintext);
}

std::optional<std::string> database_url_mistake(const std::string& url, bool allow_plaintext) {
  if (auto mistake = pg::url_mistake(url)) return "DATABASE_URL " + *mistake;
  if (allow_plaintext || !pg::may_travel_in_clear(url)) return std::nullopt;
  return "DATABASE_URL leads to another machine, perhaps unencrypted: add sslmode=verify-full (or verify-ca, "
         "or "
         "require), or set DATABASE_ALLOW_PLAINTEXT=on";
}

void DatabaseSettings::add_lanes_to(Settings& settings) {
  settings.add("lanes", {"DATABASE_LANES"}, "connections", "database connections, each with a thread", lanes,
               1, 64);
  settings.add("batch-limit", {"DATABASE_BATCH_LIMIT"}, "phases",
               "units of work that share one transaction at most", batch_limit, 1, 1024);
}

pg::ConnectionOptions DatabaseSettings::connection_options(const std::string& process) const {
  return {.url = url, .application_name = "rocket-rides " + process, .transaction_timeout = timeout};
}

pg::LaneOptions DatabaseSettings::lane_options(const std::string& process) const {
  return {.connection = connection_options(process), .batch_limit = static_cast<std::size_t>(batch_limit)};
}

}  // namespace rocket::process
