#include "spec/support/test_database.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "base/ids.h"
#include "spec/support/paths.h"

namespace rocket::spec {
namespace {

std::string schema() {
  std::ifstream file(source_dir() + "/schema.sql");
  if (!file) throw std::runtime_error("cannot read schema.sql");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// FNV-1a: the same in every build, unlike std::hash.
std::string fingerprint(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::ostringstream hex;
  hex << std::hex << hash;
  return hex.str();
}

// Its name. Makes it if need be: under another name first, so that one which is half made is never taken for
// whole.
std::string ensure_template(SqlSession& maintenance) {
  const std::string sql = schema();
  const std::string name = "rocket_spec_template_" + fingerprint(sql);
  const auto exists = [&] {
    return maintenance.number("SELECT count(*) FROM pg_database WHERE datname = $1", {name}) == 1;
  };
  if (exists()) return name;
  maintenance.rows("SELECT pg_advisory_lock(hashtext($1))", {name});
  if (!exists()) {
    const std::string half_made = name + "_new";
    maintenance.execute("DROP DATABASE IF EXISTS " + half_made + " WITH (FORCE)");
    maintenance.execute("CREATE DATABASE " + half_made);
    SqlSession(url_with(maintenance_url(), {{"dbname", half_made}})).execute(sql);
    // The backend of the session above may take a moment to go.
    maintenance.execute("ALTER DATABASE " + half_made + " ALLOW_CONNECTIONS false");
    maintenance.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                     {half_made});
    maintenance.execute("ALTER DATABASE " + half_made + " RENAME TO " + name);
  }
  maintenance.rows("SELECT pg_advisory_unlock(hashtext($1))", {name});
  return name;
}

// Takes half the time of the usual way, which writes all of it to the log of the server.
std::string copied_as_files(SqlSession& maintenance) {
  const bool can_choose = maintenance.number("SELECT current_setting('server_version_num')::int") >= 150'000;
  return can_choose ? " STRATEGY file_copy" : "";
}

std::string unique_name() {
  std::string id = random_uuid();
  for (char& c : id) {
    if (c == '-') c = '_';
  }
  return "rocket_spec_" + id;
}

}  // namespace

std::string maintenance_url() {
  const char* url = std::getenv("SPEC_DATABASE_URL");  // NOLINT(concurrency-mt-unsafe)
  if (url == nullptr || *url == '\0') {
    throw std::runtime_error(
        "SPEC_DATABASE_URL is not set; bin/test sets it, or see bin/support/private-postgres");
  }
  return url;
}

TestDatabase::TestDatabase() : maintenance_(maintenance_url()), name_(unique_name()) {
  const std::string original = ensure_template(maintenance_);
  maintenance_.execute("CREATE DATABASE " + name_ + " TEMPLATE " + original + copied_as_files(maintenance_));
  url_ = url_with(maintenance_url(), {{"dbname", name_}});
  reconnect();
}

TestDatabase::~TestDatabase() {
  session_.reset();
  try {
    maintenance_.execute("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  } catch (const std::exception& error) {
    std::cerr << "cannot drop " << name_ << ": " << error.what() << '\n';
  }
}

std::int64_t TestDatabase::count(const std::string& table, const std::string& condition) {
  return number("SELECT count(*) FROM " + table + " WHERE " + condition);
}

std::string TestDatabase::of_key(const std::string& key, const std::string& column) {
  return value("SELECT " + column + " FROM idempotency_keys WHERE idempotency_key = $1", {key});
}

void TestDatabase::pass_lease(const std::string& key) {
  const auto aged = execute(
      "UPDATE idempotency_keys SET locked_at = now() - interval '91 s', last_run_at = now() - interval '91 s'"
      " WHERE idempotency_key = $1 AND lease IS NOT NULL",
      {key});
  if (aged != 1) throw std::runtime_error("nobody holds that key's lease");
}

void TestDatabase::reconnect() { session_ = std::make_unique<SqlSession>(url_); }

}  // namespace rocket::spec
