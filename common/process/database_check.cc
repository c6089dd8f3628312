#include "rocket/process/database_check.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "rocket/pg/session.h"
#include "rocket/process/event_loop.h"

namespace rocket::process {

DatabaseCheck::DatabaseCheck(pg::ConnectionOptions connection, const std::vector<pg::Statement>& statements)
    : connection_(std::move(connection)), requirements_(statements) {
  connection_.application_name += " check";
}

std::int64_t DatabaseCheck::run(const std::function<std::int64_t()>& run_once) {
  if (!has_passed_) check();
  has_passed_ = false;
  const std::int64_t done = run_once();
  has_passed_ = true;
  return done;
}

void DatabaseCheck::check() const {
  EventLoop event_loop;
  pg::Session session(connection_);
  pg::Requirements::Transact transact = [&session](std::vector<pg::Query> queries) {
    return session.transact(std::move(queries), [](const std::vector<pg::Result>&) {});
  };
  const std::vector<std::string> missing = event_loop.run(requirements_.find_missing(std::move(transact)));
  if (missing.empty()) return;
  std::string all = "the database is not ready";
  for (const std::string& sentence : missing) all += "; " + sentence;
  throw std::runtime_error(all);
}

}  // namespace rocket::process
