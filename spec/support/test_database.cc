#include "spec/support/test_database.h"

#include <cstdlib>
#include <stdexcept>

namespace rocket::spec {

std::string maintenance_url() {
  const char* url = std::getenv("SPEC_DATABASE_URL");  // NOLINT(concurrency-mt-unsafe)
  if (url == nullptr || *url == '\0') {
    throw std::runtime_error(
        "SPEC_DATABASE_URL is not set; bin/test sets it, or see bin/support/private-postgres");
  }
  return url;
}

TestDatabase::TestDatabase()
    : maintenance_(maintenance_url()),
      pool_(maintenance_),
      name_(pool_.take()),
      url_(url_with(maintenance_url(), {{"dbname", name_}})) {
  reconnect();
}

TestDatabase::~TestDatabase() {
  session_.reset();
  pool_.give_back(name_);
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
