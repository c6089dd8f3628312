#include "rocket/process/database_settings.h"

#include <cctype>

#include "rocket/pg/connection_string.h"

namespace rocket::process {
namespace {

constexpr const char* kSharedVariable = "DATABASE_URL";

// Such as API_DATABASE_URL.
std::string own_variable_of(const std::string& process) {
  std::string name;
  for (const char each : process) {
    const auto character = static_cast<unsigned char>(each);
    name += std::isalnum(character) != 0 ? static_cast<char>(std::toupper(character)) : '_';
  }
  return name + '_' + kSharedVariable;
}

std::optional<std::string> mistake_in(const std::string& variable, const std::string& url,
                                      bool allow_plaintext) {
  if (auto wrong = pg::url_mistake(url)) return variable + ' ' + *wrong;
  if (allow_plaintext || !pg::may_travel_in_clear(url)) return std::nullopt;
  return variable +
         " leads to another machine, perhaps unencrypted: add sslmode=verify-full (or verify-ca, or "
         "require), "
         "or set DATABASE_ALLOW_PLAINTEXT=on";
}

}  // namespace

void DatabaseUrls::add_to(Settings& settings, const std::string& help) {
  own_variable = own_variable_of(settings.process());
  settings.add_secret({own_variable}, "the same as DATABASE_URL, for this process alone", own);
  settings.add_secret({kSharedVariable}, help, shared);
}

std::string DatabaseUrls::is_missing() const {
  return std::string(kSharedVariable) + " is not set, nor is " + own_variable;
}

std::optional<std::string> DatabaseUrls::mistake(bool allow_plaintext) const {
  return mistake_in(own.empty() ? kSharedVariable : own_variable, for_work(), allow_plaintext);
}

std::optional<std::string> DatabaseUrls::owner_mistake(bool allow_plaintext) const {
  if (!for_owner().empty()) return mistake_in(kSharedVariable, for_owner(), allow_plaintext);
  return std::string(kSharedVariable) + " is not set; here it must have the role that owns the tables";
}

void DatabaseSettings::add_to(Settings& settings) {
  urls.add_to(settings);
  add_allow_plaintext(settings, allow_plaintext);
  settings.add("database-timeout", {"DATABASE_TIMEOUT_MS"},
               "longest transaction; a statement may take 80 % of it, waiting for a lock 25 %", timeout,
               std::chrono::milliseconds(100), std::chrono::milliseconds(600'000));
  settings.require([this]() -> std::optional<std::string> {
    if (urls.for_work().empty()) return urls.is_missing();
    return urls.mistake(allow_plaintext);
  });
}

void add_allow_plaintext(Settings& settings, bool& allow_plaintext) {
  settings.add("database-allow-plaintext", {"DATABASE_ALLOW_PLAINTEXT"},
               "reach a database on another machine without sslmode=require or stricter", allow_plaintext);
}

void DatabaseSettings::add_lanes_to(Settings& settings) {
  settings.add("lanes", {"DATABASE_LANES"}, "connections", "database connections, each with a thread", lanes,
               1, 64);
  settings.add("batch-limit", {"DATABASE_BATCH_LIMIT"}, "phases",
               "units of work that share one transaction at most", batch_limit, 1, 1024);
}

pg::ConnectionOptions DatabaseSettings::connection_options(const std::string& process) const {
  return {
      .url = urls.for_work(), .application_name = "rocket-rides " + process, .transaction_timeout = timeout};
}

pg::ConnectionOptions DatabaseSettings::owner_connection_options(const std::string& process) const {
  pg::ConnectionOptions options = connection_options(process);
  options.url = urls.for_owner();
  return options;
}

pg::LaneOptions DatabaseSettings::lane_options(const std::string& process) const {
  return {.connection = connection_options(process), .batch_limit = static_cast<std::size_t>(batch_limit)};
}

}  // namespace rocket::process
